import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** The variable that names the folder for profiles; without it there are none. */
export const PROFILES_VARIABLE = 'QUORATE_BENCH_PROFILES';
/** Begins a profile of the process that gets it, and ends it when it comes again. */
export const PROFILE_SIGNAL = 'SIGUSR2';
const SAMPLING_US = 500;

/** Where a process of this name leaves its profile. */
export function profileFile(folder, name) {
  return join(folder, `${name}.cpuprofile`);
}

/** Lets this process be profiled for as long as its parent wants: only what is measured, not how it started. */
export function profileOnSignal(name) {
  const folder = process.env[PROFILES_VARIABLE];
  if (folder === undefined) return;
  let session;
  process.on(PROFILE_SIGNAL, async () => {
    if (session === undefined) {
      session = new Session();
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
      await session.post('Profiler.start');
      return;
    }
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    session = undefined;
    const file = profileFile(folder, name);
    writeFileSync(`${file}.part`, JSON.stringify(profile));
    renameSync(`${file}.part`, file); // whoever waits for it finds it whole
  });
}
