import { startEngine } from '../processes/engine.mjs';
import { startRedis } from '../processes/redis.mjs';
import { startSkeleton } from '../processes/skeleton.mjs';

/** What the skeleton saturates at, as the survey found it: batches of 100, 16 of them in flight. */
export const FLOOR_SATURATED = { batch: 100, window: 16 };
export const FLOOR_UNLOADED = { batch: 1, window: 1 };
/** Runs of what is not among the headlines. */
const RUNS_OF_OTHERS = 3;
/** Bytes of an operation where nothing else is said. */
export const OPERATION_BYTES = 200;

/** The Redis of a workload. */
export async function startOurRedis({ options, cleanUp, machine }, more = {}) {
  const { appendfsync, cacheDir } = options;
  const redis = await startRedis(cleanUp, { appendfsync, cacheDir, ...more });
  machine.redis = redis.version;
  return redis;
}

/** The engine and its floor, on one Redis. */
export async function startEngineAndFloor(context) {
  const { options, cleanUp } = context;
  const redis = await startOurRedis(context);
  const engine = await startEngine(cleanUp, { redis, settings: options.settings });
  const skeleton = await startSkeleton(cleanUp, { redis });
  return { redis, engine, skeleton };
}

/** How the contenders of a workload are measured. */
export function methodOf({ name, options, report }) {
  const { runs, warmupMs, durationMs, cpuProf } = options;
  const profiles = cpuProf === undefined ? {} : { profiles: { folder: cpuProf, label: name } };
  return { runs, warmupMs, durationMs, report: (line) => report(`  ${line}`), ...profiles };
}

/** The same for what is not among the headlines: fewer runs. */
export function shorterMethodOf(context) {
  const { quick, runs } = context.options;
  return { ...methodOf(context), runs: quick ? 1 : Math.min(runs, RUNS_OF_OTHERS) };
}
