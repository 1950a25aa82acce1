import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Subscription } from '../../src/ports/bus.js';
import { DirectConnection } from '../../src/redis/direct-connection.js';
import { Keys } from '../../src/redis/keys.js';
import { RedisBus } from '../../src/redis/redis-bus.js';
import { RedisOutbox } from '../../src/redis/redis-outbox.js';
import { TcpProxy } from '../support/cluster-proxy.js';
import { eventually } from '../support/cluster-waiting.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';

const keys = new Keys('bus');

describe('a bus over the connection that its process speaks on', () => {
  let redis: TestRedis;
  let admin: Redis;
  const endings: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    admin = new Redis(redis.url);
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  interface Ear {
    readonly saying: DirectConnection;
    readonly bus: RedisBus;
    readonly subscription: Subscription;
    readonly heard: string[];
  }

  async function listen(url = redis.url): Promise<Ear> {
    const saying = new DirectConnection(url);
    await saying.open();
    endings.push(() => saying.close());
    const bus = new RedisBus(url, keys, saying);
    const heard: string[] = [];
    const subscription = await subscribe(bus, heard);
    return { saying, bus, subscription, heard };
  }

  async function subscribe(bus: RedisBus, heard: string[]): Promise<Subscription> {
    const subscription = await bus.subscribe(['commit'], {
      onPayload: (channel, payload) => heard.push(`${channel} ${payload.toString()}`),
      onConnected: () => heard.push('connected'),
      onDisconnected: () => heard.push('disconnected'),
    });
    endings.push(() => subscription.close());
    return subscription;
  }

  /** How many connections there are to Redis, that of the test left out. */
  const connections = async (): Promise<number> =>
    String(await admin.call('CLIENT', 'LIST'))
      .trim()
      .split('\n').length - 1;

  const turn = (payload: string) =>
    ({
      removals: [],
      writes: [{ place: 1, fields: new Map([['commit:0:a', Buffer.from(payload)]]) }],
      publications: [
        { channel: 'commit', payload: Buffer.from(payload) },
        { channel: 'prepare', payload: Buffer.from('nobody hears this') },
        { channel: 'commit', payload: Buffer.from(`${payload} again`) },
      ],
    }) as const;

  it('hears what its own transactions publish, and gets their answers', async () => {
    const { saying, heard } = await listen();
    expect(await connections()).toBe(1);
    const outbox = new RedisOutbox(saying, saying, keys, 'a');
    await outbox.send(turn('one'));
    await outbox.send(turn('two'));
    await eventually('all is heard', () => heard.length === 5);
    expect(heard).toEqual(['connected', 'commit one', 'commit one again', 'commit two', 'commit two again']);
    expect(await admin.hget(keys.log('a', 1), 'commit:0:a')).toBe('two');
    expect(outbox.trouble).toBeUndefined();
  });

  it('has a connection of its own where Redis speaks RESP 2 alone', async () => {
    const { saying, heard } = await listen(`${redis.url}?protocol=2`);
    expect(await connections()).toBe(2);
    await new RedisOutbox(saying, saying, keys, 'a').send(turn('one'));
    await eventually('all is heard', () => heard.length === 3);
    expect(heard).toEqual(['connected', 'commit one', 'commit one again']);
  });

  it('has another one for a second subscription', async () => {
    const { saying, bus, heard } = await listen();
    const second: string[] = [];
    await subscribe(bus, second);
    expect(await connections()).toBe(2);
    await new RedisOutbox(saying, saying, keys, 'a').send(turn('one'));
    await eventually('both hear it', () => heard.length === 3 && second.length === 3);
    expect(second).toEqual(heard);
  });

  it('subscribes again when the connection is cut, and says what it could not say', async () => {
    const { saying, subscription, heard } = await listen();
    const [id] = await saying.request([['CLIENT', 'ID']]);
    const outbox = new RedisOutbox(saying, saying, keys, 'a');
    await admin.call('CLIENT', 'KILL', 'ID', String(id));
    await eventually('it has noticed', () => heard.includes('disconnected'));
    expect(subscription.connected).toBe(false);
    await outbox.send(turn('late'));
    await eventually('it hears again', () => subscription.connected);
    await outbox.send(turn('heard'));
    await eventually('all is heard', () => heard.includes('commit heard again'));
    expect(heard.slice(0, 3)).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('notices that nothing it says gets through, however much it hears', async () => {
    const wire = await TcpProxy.to(redis.url);
    endings.push(() => wire.close());
    const { saying, heard } = await listen(wire.url);
    const others = setInterval(() => void admin.publish(keys.channel('commit'), 'x'), 1);
    endings.push(async () => {
      clearInterval(others);
      await admin.ping();
    });
    wire.mute();
    await new RedisOutbox(saying, saying, keys, 'a').send(turn('mute'));
    expect(saying.losses).toBe(1);
    await eventually('all is heard', () => heard.includes('commit mute again'));
  }, 30_000);

  it('gets a turn through whose echo is more than Redis holds for one who hears', async () => {
    const { saying, heard } = await listen();
    const payload = Buffer.alloc(4 * 1024 * 1024, 'e');
    const publications = Array.from({ length: 10 }, () => ({ channel: 'commit' as const, payload }));
    await new RedisOutbox(saying, saying, keys, 'a').send({ ...turn('large'), publications });
    await eventually('all is heard', () => heard.length === 11);
    expect(saying.losses).toBe(0);
    expect(await admin.hget(keys.log('a', 1), 'commit:0:a')).toBe('large');
  });

  it('hears nothing more once it is closed, and leaves the connection to who speaks on it', async () => {
    const { saying, subscription, heard } = await listen();
    await subscription.close();
    expect(subscription.connected).toBe(false);
    await new RedisOutbox(saying, saying, keys, 'a').send(turn('one'));
    expect(await saying.request([['PING']])).toEqual(['PONG']);
    expect(heard).toEqual(['connected']);
  });

  it('says why it may not hear, and leaves the connection as it was', async () => {
    await admin.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', 'allcommands', 'allkeys', 'resetchannels');
    const saying = new DirectConnection(redis.url.replace('//', '//deaf:secret@'));
    await saying.open();
    endings.push(() => saying.close());
    const listener = { onPayload: () => undefined, onConnected: () => undefined, onDisconnected: () => undefined };
    await expect(new RedisBus(redis.url, keys, saying).subscribe(['commit'], listener)).rejects.toThrow('NOPERM');
    expect(await saying.request([['PING']])).toEqual(['PONG']);
  });
});
