// npm run soak -- --requests 1000000
//
// Many requests through a local cluster, straight over the bus, and what they leave behind: the memory of each process and
// the keys in Redis, sampled along the way. Says whether they stay flat over the last half, and whether every counter holds
// what was acknowledged. Exit code 0 when both are so.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { BusClient, clientTickMs, gatewayChannels } from '../dist/client/bus-client.js';
import { LocalCluster } from '../dist/cluster/local-cluster.js';
import { readSettings } from '../dist/config/settings.js';
import { generateIdentity } from '../dist/crypto/ed25519.js';
import { authorityFromToken } from '../dist/crypto/enrolment.js';
import { parseMembership } from '../dist/crypto/membership.js';
import { Ed25519Signer, Ed25519Verifier } from '../dist/crypto/signatures.js';
import { admit } from '../dist/enrolment/founding.js';
import { Connection } from '../dist/redis/connection.js';
import { Keys } from '../dist/redis/keys.js';
import { RedisBus } from '../dist/redis/redis-bus.js';
import { RedisPublisher } from '../dist/redis/redis-publisher.js';
import { clientsOf } from './soak/clients.mjs';
import { sampler } from './soak/samples.mjs';
import { report } from './soak/report.mjs';

const NAME = 'soak';
const DEADLINE_MS = 120_000;

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

/** A client of the cluster with an identity of its own, which the join token admits. */
async function openClient(cluster, membership) {
  const { cluster: clusterName } = membership.genesis;
  const token = (await readFile(join(cluster.dataDir, 'join-token'), 'utf8')).trim();
  const identity = generateIdentity();
  const enrolment = admit(authorityFromToken(token, clusterName), clusterName, 'gateway', NAME, identity);
  const keys = new Keys(clusterName);
  const connection = new Connection(cluster.redisUrl);
  await connection.open();
  let timestamp = 0;
  const client = new BusClient({
    membership,
    credential: { name: NAME, publicKey: identity.rawPublicKey, enrolment },
    signer: new Ed25519Signer(identity),
    verifier: new Ed25519Verifier(membership),
    publisher: new RedisPublisher(connection, keys),
    timestamps: { next: () => ++timestamp },
    deadlineMs: DEADLINE_MS,
    inFlightMax: number('in-flight'),
    now: () => Date.now(),
  });
  client.attach(await new RedisBus(cluster.redisUrl, keys).subscribe(gatewayChannels(NAME), client));
  const timer = setInterval(() => client.tick(), clientTickMs);
  return {
    client,
    async close() {
      await client.close();
      clearInterval(timer);
    },
  };
}

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
    const redis = new Redis(cluster.redisUrl.replace(/^unix:\/\//, ''));
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
    const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
    console.log(`${machine}; Node.js ${process.versions.node}, Redis ${version} (appendfsync always)`);
    console.log(
      Object.entries(flags)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    );

    const membership = parseMembership(JSON.parse(await readFile(join(dataDir, 'membership.json'), 'utf8')));
    const { client, close } = await openClient(cluster, membership);
    const clients = clientsOf(client, {
      requests: number('requests'),
      inFlight: number('in-flight'),
      keys: number('keys'),
      valueBytes: number('value-bytes'),
    });
    const sample = sampler({ redis, cluster, client, clients });
    const samples = await clients.run(number('requests') / number('samples'), sample);
    const wrong = await clients.check();
    await close();
    redis.disconnect();
    return report(samples, clients, wrong);
  } finally {
    process.off('exit', interrupted);
    await cluster.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

process.exitCode = (await main()) ? 0 : 1;
