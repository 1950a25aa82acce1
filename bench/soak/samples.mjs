import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';

const MIB = 2 ** 20;

/** Takes a sample: how far the cluster is, how fast it was since the last one, how much memory each process has, what is in Redis. */
export function sampler({ redis, cluster, client, clients, meter, report }) {
  const started = performance.now();
  const members = [...cluster.replicaNames, ...cluster.gatewayNames, 'redis'];
  let last = { acknowledged: 0, seconds: 0 };
  return async () => {
    const seconds = (performance.now() - started) / 1000;
    const { acknowledged } = clients;
    const memory = await Promise.all(members.map(async (name) => [name, await residentMiB(cluster.pid(name))]));
    const info = await redis.info('memory');
    const kinds = await keysByKind(redis);
    const { replicas, view } = client.status();
    const { p50Ms, p99Ms } = meter.take();
    meter.mark();
    const sample = {
      acknowledged,
      seconds,
      perSecond: (acknowledged - last.acknowledged) / Math.max(seconds - last.seconds, 0.001),
      p50Ms,
      p99Ms,
      view,
      executed: Math.max(...replicas.map(({ lastExecuted }) => lastExecuted ?? 0)),
      stable: Math.min(...replicas.map(({ stableCheckpoint }) => stableCheckpoint ?? 0)),
      rss: {
        ...Object.fromEntries(memory.filter(([name]) => name !== 'redis')),
        client: process.memoryUsage.rss() / MIB,
      },
      redisMiB: Number(/^used_memory:(\d+)/m.exec(info)?.[1]) / MIB,
      keys: Object.values(kinds).reduce((sum, count) => sum + count, 0),
      kinds,
    };
    last = { acknowledged, seconds };
    report(line(sample));
    return sample;
  };
}

function line({ acknowledged, seconds, perSecond, p50Ms, p99Ms, view, executed, stable, rss, redisMiB, keys, kinds }) {
  const memory = Object.entries(rss).map(([name, size]) => `${name} ${size.toFixed(0)}`);
  const counts = Object.entries(kinds).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${String(acknowledged).padStart(9)} acknowledged, ${seconds.toFixed(0).padStart(5)} s, ${perSecond.toFixed(0).padStart(5)}/s`,
    `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    `view ${view}, executed ${executed}, stable ${stable}`,
    `MiB: ${memory.join(' ')}, in Redis ${redisMiB.toFixed(1)}`,
    `keys ${keys}: ${counts.join(' ')}`,
  ].join(' | ');
}

async function residentMiB(pid) {
  if (pid === undefined) return 0;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

/** How many keys there are of each kind: `quorate:{cluster}:KIND:…`. */
async function keysByKind(redis) {
  const kinds = {};
  for (let cursor = '0'; ;) {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000);
    for (const key of keys) {
      const kind = key.split(':')[2] ?? key;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
    if (next === '0') return kinds;
    cursor = next;
  }
}
