import { performance } from 'node:perf_hooks';
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
      report(`  ${keys} keys are there`);
      const spec = { ratePerSecond: RATE_PER_SECOND, operationBytes: OPERATION_BYTES, keys };
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
