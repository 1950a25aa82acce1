import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Load } from '../support/load.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { Random } from '../support/seeds.js';

jest.setTimeout(180_000);

type Hashes = ReadonlyMap<string, Readonly<Record<string, Buffer>>>;

/** What happens to the hashes of one replica; `old` is how they once were. */
type Meddle = (redis: Redis, hashes: Hashes, old: Hashes) => Promise<void>;

const remove: Meddle = async (redis, hashes) => {
  for (const key of hashes.keys()) await redis.unlink(key);
};

const rollBack: Meddle = async (redis, hashes, old) => {
  await remove(redis, hashes, old);
  for (const [key, hash] of old) await redis.hset(key, hash);
};

const edit: Meddle = async (redis, hashes) => {
  const random = new Random(20_261_122);
  for (const [key, hash] of hashes) {
    for (const [field, value] of Object.entries(hash)) {
      const chance = random.below(10);
      if (chance < 3 && value.length > 0) value[random.below(value.length)]! ^= 1 << random.below(8);
      const changed = chance === 3 ? value.subarray(0, random.below(value.length + 1)) : value;
      await redis.hset(key, chance === 4 ? `${field}x` : field, changed);
    }
    if (random.below(10) === 0) await redis.unlink(key);
  }
};

/** Whoever runs Redis may cost us liveness, never agreement (rule 30): here one replica's log, and the others go on. */
describe('the log of a replica that is down', () => {
  let cluster: RedisCluster;

  beforeAll(async () => (cluster = await RedisCluster.start()));
  afterAll(async () => await cluster.stop());

  const hashesOf = async (redis: Redis, name: string): Promise<Hashes> => {
    const keys = [cluster.keys.replica(name), cluster.keys.state(name)];
    for (let cursor = '0'; ;) {
      const [next, found] = await redis.scan(cursor, 'MATCH', cluster.keys.log(name, 0).replace(/0$/, '*'));
      keys.push(...found);
      if (next === '0') break;
      cursor = next;
    }
    const hashes = await Promise.all(keys.map(async (key) => [key, await redis.hgetallBuffer(key)] as const));
    return new Map(hashes.filter(([, hash]) => Object.keys(hash).length > 0));
  };

  it.each([
    ['untouched', async () => undefined],
    ['deleted', remove],
    ['rolled back', rollBack],
    ['edited', edit],
  ] as [string, Meddle][])('%s: it contradicts nothing that it has said, and catches up', async (how, meddle) => {
    const { redis, names } = cluster;
    for (const [index, victim] of [cluster.primary, names.find((name) => name !== cluster.primary)!].entries()) {
      const load = new Load(cluster.increment, `${how}-${index}`, 2);
      await load.acknowledges(20);
      const old = await redis.ask(async (connection) => await hashesOf(connection, victim));
      await load.acknowledges(20);
      await cluster.crash(victim);
      await redis.ask(async (connection) => {
        const hashes = await hashesOf(connection, victim);
        expect(hashes.size).toBeGreaterThan(1);
        await meddle(connection, hashes, old);
      });
      await load.acknowledges(20);
      await cluster.startReplica(victim);
      await load.acknowledges(20);
      expect(await load.finish(cluster.read)).toEqual([]);
      await cluster.agreement();
      expect(load.unanswered).toBe(0);
      expect(cluster.violations).toEqual([]);
    }
  });
});
