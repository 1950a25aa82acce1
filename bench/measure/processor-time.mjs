import { readFile } from 'node:fs/promises';

/** What /proc counts in: USER_HZ, which is 100 on every architecture that Node.js runs on. */
const US_PER_TICK = 10_000;

/** Processor time that a process has used so far, microseconds; `undefined` where the system does not say (no /proc). */
export async function processorUs(pid) {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything: what follows the last one counts.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
  } catch {
    return undefined;
  }
}

/** What Redis says that it has used itself, wherever it runs; finer than /proc. */
export async function redisProcessorUs(redis) {
  const info = await redis.info('cpu');
  const seconds = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

/** Processor time of each process between two readings, for each request; a group of several is their mean. */
export function processorUsPerRequest(before, after, requests) {
  const used = {};
  for (const [name, end] of Object.entries(after)) {
    const begin = before[name];
    if (begin !== undefined && end !== undefined) used[name] = (end - begin) / requests;
  }
  return used;
}
