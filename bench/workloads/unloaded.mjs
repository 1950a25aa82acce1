import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { FLOOR_UNLOADED, methodOf, OPERATION_BYTES, startEngineAndFloor } from './floor.mjs';

export const unloaded = {
  name: 'unloaded',
  title: 'One outstanding request',
  async run(context) {
    const { engine, skeleton } = await startEngineAndFloor(context);
    const operationBytes = OPERATION_BYTES;
    const rows = await inTurn(
      [
        {
          ...{ name: 'engine', label: 'engine', load: engine },
          ...{ spec: { outstanding: 1, operationBytes }, heat: { outstanding: 64, operationBytes } },
        },
        {
          ...{ name: 'floor', label: 'floor', load: skeleton },
          ...{ spec: { ...FLOOR_UNLOADED, operationBytes }, heat: { batch: 1, window: 64, operationBytes } },
        },
      ],
      methodOf(context),
    );
    return { rows: Object.values(rows), ratios: { unloadedToFloor: ratioOf(rows.engine.p50Ms, rows.floor.p50Ms) } };
  },
};
