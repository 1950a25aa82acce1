// npm run soak -- --requests 1000000
//
// Many requests through a local cluster, straight over the bus, and what they leave behind: the memory of each process, the
// keys in Redis and how long the requests took, sampled along the way. Says whether they stay flat over the last half, and
// whether every counter holds what was acknowledged. Exit code 0 when both are so. `quorate bench --only drift` does the same.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../dist/cluster/local-cluster.js';
import { readSettings } from '../dist/config/settings.js';
import { describeMachine, machineText } from './measure/machine.mjs';
import { connect } from './processes/redis.mjs';
import { conclusionOf } from './soak/report.mjs';
import { soak } from './soak/run.mjs';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    'in-flight': { type: 'string', default: '512' },
    keys: { type: 'string', default: '1000' },
    'value-bytes': { type: 'string', default: '64' },
    samples: { type: 'string', default: '40' },
    replicas: { type: 'string', default: '4' },
    'batch-size': { type: 'string', default: '64' },
    'checkpoint-interval': { type: 'string', default: '128' },
    'log-size': { type: 'string', default: '256' },
  },
});
const number = (name) => Number(flags[name]);

async function main() {
  const dataDir = await mkdtemp(join(tmpdir(), 'quorate-soak-'));
  const settings = readSettings(
    {},
    {
      ...{ DATA_DIR: dataDir, PORT: '0', REPLICAS: flags.replicas, BATCH_SIZE: flags['batch-size'] },
      ...{ CHECKPOINT_INTERVAL: flags['checkpoint-interval'], LOG_SIZE: flags['log-size'] },
      ...(process.env.XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME }),
    },
  );
  const names = Array.from({ length: settings.replicas }, (_, index) => `replica-${index + 1}`);
  const cluster = new LocalCluster({ settings, names, onEnded: (name) => console.log(`${name} has ended by itself`) });
  const interrupted = () => cluster.killAll();
  process.once('exit', interrupted);
  try {
    await cluster.start();
    const redis = connect(cluster.redisUrl);
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
    redis.disconnect();
    console.log(`${machineText({ ...describeMachine(), redis: version })} (appendfsync always)`);
    console.log(
      Object.entries(flags)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    );
    const load = {
      ...{ requests: number('requests'), inFlight: number('in-flight'), keys: number('keys') },
      ...{ valueBytes: number('value-bytes'), samples: number('samples'), clusterName: settings.cluster },
    };
    const { isGood, lines } = conclusionOf(await soak(cluster, load, (line) => console.log(line)));
    console.log(`\n${lines.join('\n')}`);
    return isGood;
  } finally {
    process.off('exit', interrupted);
    await cluster.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

process.exitCode = (await main()) ? 0 : 1;
