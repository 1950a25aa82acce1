import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { Load } from '../support/load.js';
import { patienceMs } from '../support/processes.js';
import { incrementsOf, TestCluster, type Api } from './support.js';

jest.setTimeout(600_000);

const keys = 100_000;
const keysAtOnce = 1_000;
const checkpointInterval = 32;
const logSize = 64;

describe(`a replica that has lost everything but its key, and ${keys} keys of state`, () => {
  let cluster: TestCluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await TestCluster.start({
      settings: { CHECKPOINT_INTERVAL: String(checkpointInterval), LOG_SIZE: String(logSize), DEADLINE_MS: '30000' },
      stateMachine: fileURLToPath(new URL('../support/filling-service.mjs', import.meta.url)),
    });
    api = cluster.api();
    for (let from = 0; from < keys; from += keysAtOnce) await api.agreed({ op: 'fill', from, count: keysAtOnce });
  });

  afterAll(TestCluster.removeAll);

  /** Deletes everything that a replica has in Redis. */
  const wipeHashes = async (name: string): Promise<void> => {
    const redis = new Redis(cluster.redisUrl ?? '');
    try {
      const prefix = `quorate:{${cluster.name}}`;
      const wiped = [`${prefix}:replica:${name}`, `${prefix}:state:${name}`];
      for (let cursor: string | undefined = '0'; cursor !== undefined;) {
        const [next, found]: [string, string[]] = await redis.scan(cursor, 'MATCH', `${prefix}:log:${name}:*`);
        wiped.push(...found);
        cursor = next === '0' ? undefined : next;
      }
      expect(await redis.unlink(...wiped)).toBeGreaterThan(1);
    } finally {
      redis.disconnect();
    }
  };

  /** Deletes what is in a replica's folder, but for its key: without that it would be somebody else. */
  const wipeFolder = async (name: string): Promise<void> => {
    const folder = join(cluster.dataDir, 'replicas', name);
    const wiped = (await readdir(folder)).filter((file) => file !== 'key.pem');
    expect(wiped).toEqual(expect.arrayContaining(['genesis.json', 'promises', 'signed-genesis']));
    for (const file of wiped) await rm(join(folder, file), { recursive: true });
  };

  it.each([
    ['its hashes', false],
    ['its hashes and all of its folder but the key', true],
  ])('%s: it fetches the state while writes go on', async (what, areLost) => {
    const load = new Load(incrementsOf(api), what, 2);
    await load.acknowledges(10, patienceMs);
    const { primary, view, replicas } = await api.status();
    const victim = cluster.replicaNames.find((name) => name !== primary)!;
    const before = Math.max(...replicas.map(({ stableCheckpoint }) => stableCheckpoint ?? 0));
    await cluster.kill(victim);
    await wipeHashes(victim);
    if (areLost) await wipeFolder(victim);
    await api.statusWhere((status) =>
      status.replicas.every(
        ({ replica, stableCheckpoint }) =>
          replica === victim || (stableCheckpoint ?? 0) >= before + 3 * checkpointInterval,
      ),
    );
    const { sequence } = await api.agreed({ op: 'get', key: 'agreement' });
    const acknowledged = load.acknowledged;
    cluster.startMember(victim);
    await api.untilExecuted(victim, sequence);
    expect(load.acknowledged).toBeGreaterThan(acknowledged);
    expect((await api.status()).view).toBe(view);
    if (areLost) {
      // It votes from the next view on: whatever it may have said was in an earlier one. And it can ask for that view once a
      // stable checkpoint lies beyond all of that, at most L above what its peers had executed when they told it (rule 28).
      // Until then it is one that fails, and the primary would be the second.
      const told = Math.max(...(await api.status()).replicas.map(({ lastExecuted }) => lastExecuted ?? 0));
      await api.untilStable(victim, told + logSize);
      await cluster.kill(primary);
      await api.agreed({ op: 'get', key: 'agreement' });
      cluster.startMember(primary);
    }
    await api.untilVoting(victim, sequence);
    await cluster.expectWhole(load);
    expect(await api.value(`filled-${keys - 1}`)).toBe(`value ${keys - 1}`);
  });
});
