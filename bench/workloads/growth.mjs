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

export const growth = {
  name: 'growth',
  title: `Latency by the size of the state, at ${RATE_PER_SECOND} requests/s`,
  async run(context) {
    const { options, cleanUp, report } = context;
    const redis = await startOurRedis(context);
    const load = await startEngine(cleanUp, { redis, settings: options.settings, stateMachine: SERVICE });
    const method = shorterMethodOf(context);
    const rows = {};
    let filled = 0;
    for (const keys of options.quick ? KEYS_QUICK : KEYS) {
      for (; filled < keys; filled += KEYS_IN_ONE_OPERATION) {
        const count = Math.min(KEYS_IN_ONE_OPERATION, keys - filled);
        await load.ask('submit', { op: 'fill', from: filled, count }, FILL_TIMEOUT_MS);
      }
      filled = keys;
      report(`  ${keys} keys are there`);
      const spec = { ratePerSecond: RATE_PER_SECOND, operationBytes: OPERATION_BYTES, keys };
      Object.assign(rows, await inTurn([{ name: String(keys), label: `${keys} keys`, load, spec }], method));
    }
    const [least, ...more] = Object.values(rows);
    return { rows: [least, ...more], ratios: { p99LargestToSmallestState: ratioOf(more.at(-1).p99Ms, least.p99Ms) } };
  },
};
