import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../support/cluster-waiting.js';
import { Load } from '../support/load.js';
import { RedisCluster } from '../support/redis-cluster.js';

jest.setTimeout(120_000);

/** ioredis alone would wait for ever at the other end of such a connection. */
describe('a connection that takes bytes and never answers', () => {
  let cluster: RedisCluster;

  beforeAll(async () => (cluster = await RedisCluster.start()));
  afterAll(async () => await cluster.stop());

  it.each(['backup', 'primary'])('of a %s: it is given up, the others go on, and it catches up', async (role) => {
    const load = new Load(cluster.increment, `black-hole-${role}`, 2);
    await load.acknowledges(10);
    const { primary } = cluster;
    const victim = role === 'primary' ? primary : cluster.names.find((name) => name !== primary)!;
    const { node, subscription, connection, saying } = cluster.life(victim);
    const { view } = cluster.client.status();
    cluster.wire(victim).blackHole();
    const areUp = (): readonly boolean[] => [subscription.connected, connection.connected, saying.connected];
    await eventually('all of its connections are given up', () => !areUp().includes(true));
    await load.acknowledges(20);
    await eventually('the gateway no longer hears of it', () => {
      return cluster.client.status().replicas.some(({ replica, connected }) => replica === victim && !connected);
    });
    if (role === 'primary') expect(cluster.client.status().view).toBeGreaterThan(view);

    const executed = node.host.replica.lastExecuted;
    cluster.wire(victim).heal();
    await eventually('it hears and is heard', () => !areUp().includes(false));
    await eventually('it catches up', () => node.host.replica.lastExecuted >= executed + 20);
    expect(await load.finish(cluster.read)).toEqual([]);
    await cluster.agreement();
    expect(load.unanswered).toBe(0);
    expect(cluster.violations).toEqual([]);
  });

  it('of the gateway: requests are refused at once, and answered when the wire is whole', async () => {
    const { client } = cluster;
    const before = Number(await cluster.read('gateway'));
    expect(before).toBeNaN();
    cluster.wire('gateway-1').blackHole();
    const inTheDark = cluster.increment({ op: 'increment', key: 'gateway' });
    await eventually('it knows', () => !client.connected);
    await expect(client.submit({ op: 'get', key: 'gateway' })).rejects.toMatchObject({ code: 'bus-unavailable' });
    cluster.wire('gateway-1').heal();
    expect(await inTheDark).toBe(1);
    await cluster.agreement();
    expect(cluster.violations).toEqual([]);
  });

  it('of everybody: nothing is voted out of office, and everything goes on', async () => {
    const load = new Load(cluster.increment, 'all', 2);
    await load.acknowledges(10);
    const lives = cluster.names.map((name) => cluster.life(name));
    for (const name of cluster.names) cluster.wire(name).blackHole();
    await eventually('all know', () => lives.every(({ subscription }) => !subscription.connected));
    for (const name of cluster.names) cluster.wire(name).heal();
    await load.acknowledges(20);
    expect(await load.finish(cluster.read)).toEqual([]);
    await cluster.agreement();
    expect(cluster.violations).toEqual([]);
  });
});
