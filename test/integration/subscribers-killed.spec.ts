import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { Load } from '../support/load.js';
import { areTestsLong } from '../support/long-tests.js';
import { RedisCluster } from '../support/redis-cluster.js';

jest.setTimeout(600_000);

const kills = areTestsLong ? 200 : 30;

/** What is published while a subscriber is away is gone, and no call returns an error. */
describe('subscribing connections', () => {
  let cluster: RedisCluster;

  beforeAll(async () => (cluster = await RedisCluster.start()));
  afterAll(async () => await cluster.stop());

  it(`killed ${kills} times under load: everything goes on, nothing is lost, nothing done twice`, async () => {
    const load = new Load(cluster.increment, 'killed', 4);
    const admin = new Redis(cluster.redis.url);
    let killed = 0;
    for (let kill = 1; kill <= kills; kill++) {
      killed += Number(await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
      // One more answer: it may come before or after the return, so that the next kill strikes anywhere.
      await load.acknowledges(1);
    }
    admin.disconnect();
    expect(killed).toBeGreaterThan(kills);
    expect(await load.finish(cluster.read)).toEqual([]);
    await cluster.agreement();
    expect(load.unanswered).toBe(0);
    expect(cluster.violations).toEqual([]);
  });
});
