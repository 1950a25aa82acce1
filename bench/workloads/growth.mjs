import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { OPERATION_BYTES, shorterMethodOf, startOurRedis } from './floor.mjs';

const SERVICE = fileURLToPath(new URL('../programs/filling-service.mjs', import.meta.url));
const KEYS = [1_000, 10_000, 100_000, 1_000_000];
const KEYS_QUICK = [1_000, 10_000];
const KEYS_IN_ONE_OPERATION = 5_000;
/** What is offered, whatever the size of the state: far below what a slow machine can take. */
const RATE_PER_SECOND = 100;
const FILL_TIMEOUT_MS = 30_000;
/** From one size to the next. */
const FILL_BUDGET_MS = 180_000;
/** Until every replica has stored a checkpoint that holds them. */
const STORE_BUDGET_MS = 180_000;
const STORE_POLL_MS = 500;
/** Each replica has said by then what it has executed. */
const STATUS_MS = 2_000;

export const growth = {
  name: 'growth',
  title: `Latency by the size of the state, at ${RATE_PER_SECOND} requests/s`,
  async run(context) {
    const { options, cleanUp, report } = context;
    const redis = await startOurRedis(context);
    const load = await startEngine(cleanUp, { redis, settings: options.settings, stateMachine: SERVICE });
    const method = shorterMethodOf(context);
    const rows = {};
    const notes = [];
    let filled = 0;
    for (const keys of options.quick ? KEYS_QUICK : KEYS) {
      filled = await fill(load, filled, keys);
      if (filled < keys) {
        notes.push(`${keys} keys were not reached: ${filled} after ${FILL_BUDGET_MS / 1000} s`);
        break;
      }
      const spec = { ratePerSecond: RATE_PER_SECOND, operationBytes: OPERATION_BYTES, keys };
      report(`  ${keys} keys are there`);
      const seconds = await untilStored(load, spec);
      if (seconds === undefined) notes.push(`${keys} keys were not stored after ${STORE_BUDGET_MS / 1000} s`);
      else report(`  and are stored, ${seconds.toFixed(0)} s later`);
      Object.assign(rows, await inTurn([{ name: String(keys), label: `${keys} keys`, load, spec }], method));
    }
    const [least, ...more] = Object.values(rows);
    const largest = more.at(-1) ?? least;
    return {
      rows: [least, ...more],
      notes,
      ratios: { p99LargestToSmallestState: ratioOf(largest.p99Ms, least.p99Ms) },
    };
  },
};

/**
 * Goes on until the first checkpoint with all keys is stored: what was written in bulk shows for as long, a state that has its size
 * does not.
 * @returns how many seconds that took; `undefined` when it took too long
 */
async function untilStored(load, spec) {
  const begin = performance.now();
  await sleep(STATUS_MS);
  const filled = await load.executed();
  await load.ask('start', spec);
  let isStored = false;
  while (!isStored && performance.now() < begin + STORE_BUDGET_MS) {
    await sleep(STORE_POLL_MS);
    isStored = (await load.stored()) >= filled;
  }
  await load.ask('halt', undefined, FILL_TIMEOUT_MS);
  return isStored ? (performance.now() - begin) / 1000 : undefined;
}

/** Writes the keys from one number up to another. @returns how far it got in its time */
async function fill(load, from, to) {
  const deadline = performance.now() + FILL_BUDGET_MS;
  let filled = from;
  while (filled < to && performance.now() < deadline) {
    const count = Math.min(KEYS_IN_ONE_OPERATION, to - filled);
    await load.ask('submit', { op: 'fill', from: filled, count }, FILL_TIMEOUT_MS);
    filled += count;
  }
  return filled;
}
