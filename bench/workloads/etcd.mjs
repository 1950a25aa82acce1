import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inTurn } from '../measure/rounds.mjs';
import { ratioOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { etcdVersion, startEtcd } from '../processes/etcd.mjs';
import { OPERATION_BYTES, shorterMethodOf, startOurRedis } from './floor.mjs';

/** A file system in memory. */
const MEMORY = '/dev/shm';
/** Requests outstanding; what counts for etcd is the best of them. */
const OUTSTANDING = [1, 64, 256, 1024];
const OUTSTANDING_QUICK = [256];

export const etcd = {
  name: 'etcd',
  title: 'Beside etcd: three nodes, crash faults only',
  async run(context) {
    const version = await etcdVersion();
    if (version === undefined) return { skipped: 'etcd is not installed (apt-get install etcd-server)' };
    context.machine.etcd = version;
    const places = [{ place: 'disk', title: 'synced to disk', parent: tmpdir() }];
    if (existsSync(MEMORY)) places.push({ place: 'memory', title: 'in memory', parent: MEMORY });
    const rows = [];
    const ratios = {};
    for (const { place, title, parent } of places) {
      const result = await context.cleanUp.within((cleanUp) => beside({ ...context, cleanUp }, { title, parent }));
      rows.push(...result.rows);
      ratios[place === 'disk' ? 'engineToEtcdOnDisk' : 'engineToEtcdInMemory'] = result.ratio;
    }
    return { rows, ratios };
  },
};

async function beside(context, { title, parent }) {
  const { options, cleanUp } = context;
  const redis = await startOurRedis(context, { parent, appendfsync: 'always' });
  const engine = await startEngine(cleanUp, { redis, settings: options.settings, parent });
  const load = await startEtcd(cleanUp, { parent });
  const operationBytes = OPERATION_BYTES;
  const loads = (options.quick ? OUTSTANDING_QUICK : OUTSTANDING).map((outstanding) => ({
    ...{ name: `etcd-${outstanding}`, label: `etcd, ${title}, ${outstanding} outstanding`, load, backups: 2 },
    spec: { outstanding, operationBytes },
  }));
  const spec = { outstanding: options.outstanding, operationBytes };
  const contenders = [{ name: 'engine', label: `engine, ${title}`, load: engine, spec }, ...loads];
  const rows = await inTurn(contenders, shorterMethodOf(context));
  const best = loads.map(({ name }) => rows[name].perSecond).reduce((a, b) => (b.median > a.median ? b : a));
  return { rows: Object.values(rows), ratio: ratioOf(rows.engine.perSecond, best) };
}
