import { existsSync, readFileSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { poll } from '../../dist/cluster/poll.js';
import { PROFILE_SIGNAL, profileFile } from '../processes/profiling.mjs';
import { largestCosts } from '../report/costs.mjs';

const WRITTEN_TIMEOUT_MS = 30_000;

/**
 * Has each process of a load that is under way profiled, into `FOLDER/LABEL-PROCESS.cpuprofile`.
 *
 * @returns {Promise<Record<string, { what: string, share: number }[]>>} the largest costs of each process
 */
export async function profile(load, { folder, label, durationMs }) {
  const processes = Object.entries(load.processIds());
  const signalAll = () => processes.forEach(([, pid]) => process.kill(pid, PROFILE_SIGNAL));
  signalAll();
  await sleep(durationMs);
  signalAll();
  const costs = {};
  for (const [name] of processes) {
    const file = profileFile(folder, name);
    const isThere = await poll(WRITTEN_TIMEOUT_MS, () => (existsSync(file) ? true : undefined));
    if (isThere === undefined) throw new Error(`${name} has left no profile`);
    const kept = profileFile(folder, `${label}-${name}`);
    renameSync(file, kept);
    costs[name] = largestCosts(JSON.parse(readFileSync(kept, 'utf8')));
  }
  return costs;
}
