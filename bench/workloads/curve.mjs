import { inTurn } from '../measure/rounds.mjs';
import { OPERATION_BYTES, shorterMethodOf, startEngineAndFloor } from './floor.mjs';

const OUTSTANDING = [1, 16, 64, 256, 1024, 4096];
const OUTSTANDING_QUICK = [1, 64, 1024];
const FLOOR_BATCH_MAX = 100;
const FLOOR_WINDOW = 16;

export const curve = {
  name: 'curve',
  title: 'Throughput and latency over requests outstanding',
  async run(context) {
    const { engine, skeleton } = await startEngineAndFloor(context);
    const points = context.options.quick ? OUTSTANDING_QUICK : OUTSTANDING;
    const operationBytes = OPERATION_BYTES;
    const engines = points.map((outstanding) => ({
      ...{ name: `engine-${outstanding}`, label: `engine, ${outstanding} outstanding`, load: engine },
      spec: { outstanding, operationBytes },
    }));
    const floors = points.map((outstanding) => ({
      ...{ name: `floor-${outstanding}`, label: `floor, ${outstanding} outstanding`, load: skeleton },
      spec: { ...floorSpec(outstanding), operationBytes },
    }));
    // The busiest first, so that all code is compiled when little is asked of it.
    const heated = [...engines].reverse().flatMap((contender, index) => [contender, floors[points.length - 1 - index]]);
    const rows = await inTurn(heated, shorterMethodOf(context));
    const named = (contenders) => contenders.map(({ name }) => rows[name]);
    const series = { engine: named(engines), floor: named(floors) };
    return { rows: [...series.engine, ...series.floor], curve: { outstanding: points, ...curvesOf(series) } };
  },
};

/** As many requests in batches as large as the floor's best, in as many instances as it then needs. */
function floorSpec(outstanding) {
  const batch = Math.min(Math.max(Math.ceil(outstanding / FLOOR_WINDOW), 1), FLOOR_BATCH_MAX);
  return { batch, window: Math.max(Math.round(outstanding / batch), 1) };
}

function curvesOf(series) {
  const lines = Object.entries(series).map(([name, rows]) => {
    const points = rows.map(({ perSecond, p50Ms, p99Ms }) => ({
      ...{ perSecond: perSecond.median, p50Ms: p50Ms.median, p99Ms: p99Ms.median },
    }));
    return [name, points];
  });
  return Object.fromEntries(lines);
}
