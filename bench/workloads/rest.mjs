import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { startBareNest, startRestLoad } from '../processes/rest.mjs';
import { methodOf, OPERATION_BYTES, startOurRedis } from './floor.mjs';

/** Connections, each with one request at a time. */
const CONNECTIONS = 256;

export const rest = {
  name: 'rest',
  title: `REST over ${CONNECTIONS} keep-alive connections`,
  async run(context) {
    const { options, cleanUp } = context;
    const redis = await startOurRedis(context);
    const engine = await startEngine(cleanUp, { redis, gateways: 1, settings: options.settings });
    const load = await startRestLoad(cleanUp, engine);
    const bare = await startBareNest(cleanUp);
    const operationBytes = OPERATION_BYTES;
    const rows = await inTurn(
      [
        { name: 'rest', label: 'POST, agreed, with receipt', load, spec: { outstanding: CONNECTIONS, operationBytes } },
        {
          ...{ name: 'bare', label: 'bare NestJS+Express POST', load: bare },
          spec: { outstanding: CONNECTIONS, operationBytes },
        },
        {
          ...{ name: 'bus', label: 'engine without HTTP', load: engine },
          spec: { outstanding: CONNECTIONS, operationBytes },
        },
      ],
      methodOf(context),
    );
    return { rows: Object.values(rows), ratios: { restToBareNest: ratioOf(rows.rest.perSecond, rows.bare.perSecond) } };
  },
};
