import { existsSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { poll } from '../../dist/cluster/poll.js';
import { PROFILE_SIGNAL, profileFile } from '../processes/profiling.mjs';

const WRITTEN_TIMEOUT_MS = 30_000;

/** Has each process of a load that is under way profiled, into `FOLDER/LABEL-PROCESS.cpuprofile`. */
export async function profile(load, { folder, label, durationMs }) {
  const processes = Object.entries(load.processIds());
  const signalAll = () => processes.forEach(([, pid]) => process.kill(pid, PROFILE_SIGNAL));
  signalAll();
  await sleep(durationMs);
  signalAll();
  for (const [name] of processes) {
    const file = profileFile(folder, name);
    const isThere = await poll(WRITTEN_TIMEOUT_MS, () => (existsSync(file) ? true : undefined));
    if (isThere === undefined) throw new Error(`${name} has left no profile`);
    renameSync(file, profileFile(folder, `${label}-${name}`));
  }
}
