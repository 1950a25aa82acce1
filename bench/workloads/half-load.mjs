import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { OPERATION_BYTES, shorterMethodOf, startOurRedis } from './floor.mjs';

export const halfLoad = {
  name: 'half-load',
  title: 'Latency at half of saturation',
  async run(context) {
    const { options, cleanUp } = context;
    const redis = await startOurRedis(context);
    const load = await startEngine(cleanUp, { redis, settings: options.settings });
    const method = shorterMethodOf(context);
    const operationBytes = OPERATION_BYTES;
    const heat = { outstanding: options.outstanding, operationBytes };
    const { saturated } = await inTurn([{ name: 'saturated', label: 'saturated', load, spec: heat }], {
      ...method,
      profiles: undefined,
    });
    const ratePerSecond = Math.max(Math.round(saturated.perSecond.median / 2), 1);
    const rows = await inTurn(
      [
        { name: 'one', label: 'one outstanding', load, spec: { outstanding: 1, operationBytes }, heat },
        { name: 'half', label: `${ratePerSecond}/s offered`, load, spec: { ratePerSecond, operationBytes } },
      ],
      method,
    );
    const ratio = ratioOf(rows.half.p99Ms, rows.one.p50Ms);
    return { rows: [saturated, rows.one, rows.half], ratios: { halfLoadP99ToUnloadedP50: ratio } };
  },
};
