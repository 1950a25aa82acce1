import { startEngine } from '../processes/engine.mjs';
import { startRedis } from '../processes/redis.mjs';
import { startSkeleton } from '../processes/skeleton.mjs';

/** What the skeleton saturates at, as the survey found it: batches of 100, 16 of them in flight. */
export const FLOOR_SATURATED = { batch: 100, window: 16 };
export const FLOOR_UNLOADED = { batch: 1, window: 1 };
/** Bytes of an operation where nothing else is said. */
export const OPERATION_BYTES = 200;

/** The engine and its floor, on one Redis. */
export async function startEngineAndFloor({ options, cleanUp, machine }) {
  const { appendfsync, cacheDir, settings } = options;
  const redis = await startRedis(cleanUp, { appendfsync, cacheDir });
  machine.redis = redis.version;
  const engine = await startEngine(cleanUp, { redis, settings });
  const skeleton = await startSkeleton(cleanUp, { redis });
  return { redis, engine, skeleton };
}

/** How the contenders of a workload are measured. */
export function methodOf({ name, options, report }) {
  const { runs, warmupMs, durationMs, cpuProf } = options;
  const profiles = cpuProf === undefined ? {} : { profiles: { folder: cpuProf, label: name } };
  return { runs, warmupMs, durationMs, report: (line) => report(`  ${line}`), ...profiles };
}
