import { alone, inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { startRedis } from '../processes/redis.mjs';
import { startSkeleton } from '../processes/skeleton.mjs';
import { FLOOR_SATURATED, OPERATION_BYTES, shorterMethodOf, startEngineAndFloor, startOurRedis } from './floor.mjs';

const KIB = 1024;
/** What is outstanding of large operations: as many bytes as of small ones would be more than a replica takes. */
const OUTSTANDING_LARGE = 128;

export const sizes = {
  name: 'sizes',
  title: 'Saturation by the size of operations',
  async run(context) {
    const { engine, skeleton } = await startEngineAndFloor(context);
    const { quick, outstanding } = context.options;
    const contenders = (quick ? [0, KIB] : [0, OPERATION_BYTES, KIB, 16 * KIB]).flatMap((operationBytes) => {
      const isLarge = operationBytes > KIB;
      const floor = isLarge ? { batch: 8, window: 16 } : FLOOR_SATURATED;
      const label = operationBytes === 0 ? 'smallest' : `${operationBytes} B`;
      const some = isLarge ? Math.min(outstanding, OUTSTANDING_LARGE) : outstanding;
      return [
        {
          ...{ name: `engine-${operationBytes}`, label: `engine, ${label}`, load: engine },
          spec: { outstanding: some, operationBytes },
        },
        {
          ...{ name: `floor-${operationBytes}`, label: `floor, ${label}`, load: skeleton },
          spec: { ...floor, operationBytes },
        },
      ];
    });
    return { rows: Object.values(await inTurn(contenders, shorterMethodOf(context))) };
  },
};

export const replicas = {
  name: 'replicas',
  title: 'Saturation by the number of replicas',
  async run(context) {
    const { options, cleanUp } = context;
    const redis = await startOurRedis(context);
    let started = 0;
    // Each alone: what an idle cluster costs grows with its replicas, and would count towards the others.
    const contenders = (options.quick ? [4, 7] : [4, 7, 10]).map((n) => ({
      ...{ name: `n${n}`, label: `n = ${n}`, backups: n - 1 },
      spec: { outstanding: options.outstanding, operationBytes: OPERATION_BYTES },
      open: (inner) => {
        const settings = { ...options.settings, CLUSTER: `bench-${n}-${++started}` };
        return startEngine(inner, { redis, replicas: n, settings });
      },
    }));
    const rows = await alone(contenders, shorterMethodOf(context), cleanUp);
    return { rows: Object.values(rows), ratios: { sevenToFour: ratioOf(rows.n7.perSecond, rows.n4.perSecond) } };
  },
};

export const oneDown = {
  name: 'one-down',
  title: 'Saturation with one of four replicas down',
  async run(context) {
    const { options, cleanUp } = context;
    const redis = await startOurRedis(context);
    const start = (name) => startEngine(cleanUp, { redis, settings: { ...options.settings, CLUSTER: name } });
    const up = await start('bench-up');
    const down = await start('bench-down');
    const primary = await down.primary();
    await down.cluster.kill(down.members.findLast((name) => name !== primary));
    const spec = { outstanding: options.outstanding, operationBytes: OPERATION_BYTES };
    const rows = await inTurn(
      [
        { name: 'up', label: 'all four up', load: up, spec },
        { name: 'down', label: 'one down', load: down, spec, backups: 2 },
      ],
      shorterMethodOf(context),
    );
    return { rows: Object.values(rows), ratios: { oneDownToAllUp: ratioOf(rows.down.perSecond, rows.up.perSecond) } };
  },
};

export const appendfsync = {
  name: 'appendfsync',
  title: "Saturation by Redis's appendfsync",
  async run(context) {
    const { options, cleanUp } = context;
    const contenders = [];
    for (const policy of ['always', 'everysec', 'no']) {
      const redis = await startRedis(cleanUp, { appendfsync: policy, cacheDir: options.cacheDir });
      const engine = await startEngine(cleanUp, { redis, settings: options.settings });
      const skeleton = await startSkeleton(cleanUp, { redis });
      const operationBytes = OPERATION_BYTES;
      contenders.push(
        {
          ...{ name: `engine-${policy}`, label: `engine, ${policy}`, load: engine },
          spec: { outstanding: options.outstanding, operationBytes },
        },
        {
          ...{ name: `floor-${policy}`, label: `floor, ${policy}`, load: skeleton },
          spec: { ...FLOOR_SATURATED, operationBytes },
        },
      );
    }
    return { rows: Object.values(await inTurn(contenders, shorterMethodOf(context))) };
  },
};
