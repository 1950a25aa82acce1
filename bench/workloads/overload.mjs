import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { startRestLoad } from '../processes/rest.mjs';
import { methodOf, OPERATION_BYTES, startOurRedis } from './floor.mjs';

const CONNECTIONS_AT_PEAK = 256;
/** More than the gateway has places, so that it has to refuse. */
const CONNECTIONS = 3_000;
const FACTOR = 2;
const DURATION_MS = 60_000;
const DURATION_QUICK_MS = 5_000;

export const overload = {
  name: 'overload',
  title: `${FACTOR} × the saturating load over REST`,
  async run(context) {
    const { options, cleanUp } = context;
    const redis = await startOurRedis(context);
    const engine = await startEngine(cleanUp, { redis, gateways: 1, settings: options.settings });
    const load = await startRestLoad(cleanUp, engine);
    const method = methodOf(context);
    const operationBytes = OPERATION_BYTES;
    const saturating = { outstanding: CONNECTIONS_AT_PEAK, operationBytes };
    const saturated = { ...method, runs: options.quick ? 1 : method.runs };
    const { peak } = await inTurn([{ name: 'peak', label: 'saturated', load, spec: saturating }], saturated);
    const before = (await engine.ask('status')).view;
    const ratePerSecond = Math.max(Math.round(peak.perSecond.median * FACTOR), 1);
    const spec = { outstanding: CONNECTIONS, operationBytes, ratePerSecond };
    const durationMs = options.quick ? DURATION_QUICK_MS : Math.max(DURATION_MS, options.durationMs);
    const { over } = await inTurn([{ name: 'over', label: `${ratePerSecond}/s offered`, load, spec, gaps: true }], {
      ...method,
      runs: 1,
      durationMs,
      heats: false,
    });
    const after = (await engine.ask('status')).view;
    const { again } = await inTurn([{ name: 'again', label: 'saturated, after it', load, spec: saturating }], {
      ...saturated,
      heats: false,
      profiles: undefined,
    });
    // What disturbs the machine before it, or is left behind by it, must not make it look good: the better of the two counts.
    const best = Math.max(peak.perSecond.median, again.perSecond.median);
    return {
      rows: [peak, over, again],
      notes: [`view changes: ${after - before}; "refused" is 429 with Retry-After, every other word is a failure`],
      viewChanges: after - before,
      ratios: { overloadToPeak: ratioOf(over.perSecond, { runs: [best] }) },
    };
  },
};
