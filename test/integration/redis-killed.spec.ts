import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../support/cluster-waiting.js';
import { Load } from '../support/load.js';
import { RedisCluster } from '../support/redis-cluster.js';

jest.setTimeout(180_000);

const kills = 3;

describe('Redis killed under load', () => {
  let cluster: RedisCluster;

  beforeAll(async () => (cluster = await RedisCluster.start()));
  afterAll(async () => await cluster.stop());

  /** Kills Redis and starts it again, while everybody runs on. */
  const restartRedis = async (load: Load, isWiped: boolean): Promise<void> => {
    await load.acknowledges(10);
    const { client, redis } = cluster;
    await redis.kill();
    await eventually('the gateway knows', () => !client.connected);
    if (isWiped) await redis.wipe();
    await redis.restart();
    await load.acknowledges(10);
  };

  it.each(['with', 'without'])('and started again %s its data: everybody goes on where he was', async (how) => {
    const load = new Load(cluster.increment, `${how}-data`, 4);
    await cluster.redis.ask(async (redis) => await redis.set('witness', how));
    for (let kill = 0; kill < kills; kill++) await restartRedis(load, how === 'without');
    expect(await load.finish(cluster.read)).toEqual([]);
    await cluster.agreement();
    const witness = await cluster.redis.ask(async (redis) => await redis.get('witness'));
    expect(witness).toBe(how === 'with' ? how : null);
    // What is in Redis now is enough to start from, each in turn.
    for (const name of cluster.names) {
      await cluster.crash(name);
      await cluster.startReplica(name);
      await cluster.agreement();
    }
    expect(cluster.violations).toEqual([]);
  });
});
