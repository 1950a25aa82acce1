import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { FLOOR_SATURATED, methodOf, OPERATION_BYTES, startEngineAndFloor } from './floor.mjs';

export const saturation = {
  name: 'saturation',
  title: 'Saturation with operations of 200 bytes',
  async run(context) {
    const { engine, skeleton } = await startEngineAndFloor(context);
    const { outstanding } = context.options;
    const operationBytes = OPERATION_BYTES;
    const rows = await inTurn(
      [
        { name: 'engine', label: 'engine', load: engine, spec: { outstanding, operationBytes } },
        { name: 'floor', label: 'floor', load: skeleton, spec: { ...FLOOR_SATURATED, operationBytes } },
      ],
      methodOf(context),
    );
    const ratio = ratioOf(rows.engine.perSecond, rows.floor.perSecond);
    return { rows: Object.values(rows), ratios: { saturationToFloor: ratio } };
  },
};
