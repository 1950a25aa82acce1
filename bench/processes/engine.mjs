import { fileURLToPath } from 'node:url';
import { readSettings } from '../../dist/config/settings.js';
import { LocalCluster } from '../../dist/cluster/local-cluster.js';
import { Keys } from '../../dist/redis/keys.js';
import { decodeStoredRecord, ownFields } from '../../dist/replica/state-fields.js';
import { processorUs, redisProcessorUs } from '../measure/processor-time.mjs';
import { PROFILES_VARIABLE } from './profiling.mjs';
import { Program } from './program.mjs';
import { temporaryFolder } from './redis.mjs';

const PROFILED = fileURLToPath(new URL('../programs/profiled-quorate.mjs', import.meta.url));
const CLIENT = new URL('../programs/engine-client.mjs', import.meta.url);
const FOUNDING_TIMEOUT_MS = 60_000;

/**
 * A cluster of replica processes on a Redis that runs, and a client of it straight over the bus, in a process of its own as a
 * gateway would be. A load, as `rounds.mjs` drives it.
 *
 * @param {{ redis: { url: string, control: import('ioredis').Redis }, replicas?: number, gateways?: number, settings?: Record<string, string>, parent?: string,
 *   stateMachine?: string }} options
 */
export async function startEngine(cleanUp, options) {
  const { redis, replicas = 4, gateways = 0, settings = {}, parent, stateMachine } = options;
  const dataDir = await temporaryFolder(cleanUp, parent);
  const cluster = new LocalCluster({
    settings: readSettings({}, { REDIS_URL: redis.url, DATA_DIR: dataDir, LOG_LEVEL: 'warn', PORT: '0', ...settings }),
    names: Array.from({ length: replicas }, (_, index) => `replica-${index + 1}`),
    gateways: Array.from({ length: gateways }, (_, index) => ({ name: `gateway-${index + 1}`, port: 0 })),
    ...(stateMachine === undefined ? {} : { stateMachine }),
    ...(process.env[PROFILES_VARIABLE] === undefined ? {} : { program: PROFILED }),
  });
  cleanUp.add(
    () => cluster.stop(),
    () => cluster.killAll(),
  );
  await cluster.start();
  const clusterName = settings.CLUSTER ?? 'quorate';
  const client = new Program({ name: 'client', file: CLIENT, options: { redisUrl: redis.url, dataDir, clusterName } });
  cleanUp.add(
    () => client.stop(),
    () => client.kill(),
  );
  const { members } = await client.ask('open', undefined, FOUNDING_TIMEOUT_MS);
  return new Engine({ cluster, client, redis, members, keys: new Keys(clusterName) });
}

class Engine {
  constructor({ cluster, client, redis, members, keys }) {
    this.cluster = cluster;
    this.client = client;
    this.redis = redis;
    this.members = members;
    this.keys = keys;
  }

  ask(method, argument, timeoutMs) {
    return this.client.ask(method, argument, timeoutMs);
  }

  /** Those that can be profiled, by their names. */
  processIds() {
    const members = this.members.map((name) => [name, this.cluster.pid(name)]);
    return Object.fromEntries([['client', this.client.pid], ...members].filter(([, pid]) => pid !== undefined));
  }

  async primary() {
    const { view } = await this.client.ask('status');
    return this.members[view % this.members.length];
  }

  /** The highest sequence number that any replica says it has executed. */
  async executed() {
    const { replicas } = await this.client.ask('status');
    return Math.max(...replicas.map(({ lastExecuted }) => lastExecuted ?? 0));
  }

  /** The sequence number of the checkpoint that all replicas have in their stores, or a later one; 0 when one has none. */
  async stored() {
    const records = await Promise.all(
      this.members.map((name) => this.redis.control.hgetBuffer(this.keys.replica(name), ownFields.stored)),
    );
    return Math.min(...records.map((record) => (record && decodeStoredRecord(record)?.sequence) ?? 0));
  }

  /** Processor time so far of each process, microseconds; `backup` is the mean of those that run. */
  async processorTime() {
    const primary = await this.primary();
    const backups = this.members.filter((name) => name !== primary && this.cluster.pid(name) !== undefined);
    const used = await Promise.all(backups.map((name) => processorUs(this.cluster.pid(name))));
    return {
      client: await processorUs(this.client.pid),
      primary: await processorUs(this.cluster.pid(primary)),
      backup: used.includes(undefined) ? undefined : used.reduce((sum, us) => sum + us, 0) / used.length,
      redis: await redisProcessorUs(this.redis.control),
    };
  }
}
