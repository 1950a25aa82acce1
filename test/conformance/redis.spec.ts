import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Connection } from '../../src/redis/connection.js';
import { DirectConnection } from '../../src/redis/direct-connection.js';
import { Keys } from '../../src/redis/keys.js';
import { RedisBus } from '../../src/redis/redis-bus.js';
import { RedisEnrolmentBoard } from '../../src/redis/redis-enrolment-board.js';
import { RedisMessageLog } from '../../src/redis/redis-message-log.js';
import { RedisOutbox } from '../../src/redis/redis-outbox.js';
import { RedisPublisher } from '../../src/redis/redis-publisher.js';
import { TcpProxy } from '../support/cluster-proxy.js';
import { eventually } from '../support/cluster-waiting.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';
import { busSuite } from './bus.suite.js';
import { listen, text, type Ports } from './harness.js';
import { outboxSuite } from './outbox.suite.js';
import { enrolmentBoardSuite, messageLogSuite, publisherSuite } from './storage.suite.js';

const processes = ['a', 'b', 'c'];
/** The most fields of a hash that `RedisMessageLog` reads. */
const fieldsMax = 4096;

describe('on Redis', () => {
  let server: TestRedis;
  let admin: Redis;
  let clusters = 0;

  beforeAll(async () => {
    server = await startTestRedis();
    admin = new Redis(server.url);
  });

  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  /** @param isShared one speaks and hears over one connection, as processes do */
  async function redisPorts(isShared = false): Promise<Ports> {
    const keys = new Keys(`conformance-${++clusters}`);
    const proxies = new Map<string, TcpProxy>();
    for (const name of processes) proxies.set(name, await TcpProxy.to(server.url));
    const proxyOf = (name: string): TcpProxy => proxies.get(name)!;
    const opened: { close(): Promise<void> }[] = [];
    const open = async <C extends Connection>(name: string, Kind: new (url: string) => C): Promise<C> => {
      const connection = new Kind(proxyOf(name).url);
      opened.push(connection);
      await connection.open();
      return connection;
    };
    const saying = new Map<string, DirectConnection>();
    const speak = async (name: string): Promise<DirectConnection> => {
      const connection = saying.get(name) ?? (await open(name, DirectConnection));
      if (isShared) saying.set(name, connection);
      return connection;
    };
    const refuseWrites = async (isRefused: boolean): Promise<void> => {
      await admin.config('SET', 'maxmemory', isRefused ? '1' : '0');
    };
    return {
      bus: (name) => ({
        async subscribe(channels, listener) {
          const shared = isShared ? await speak(name) : undefined;
          const subscription = await new RedisBus(proxyOf(name).url, keys, shared).subscribe(channels, listener);
          opened.push(subscription);
          return subscription;
        },
      }),
      publisher: async (name) => new RedisPublisher(await speak(name), keys),
      outbox: async (replica) => {
        const connection = await speak(replica);
        return new RedisOutbox(connection, connection, keys, replica);
      },
      outboxOfTwo: async (replica) =>
        new RedisOutbox(await speak(replica), await open(replica, DirectConnection), keys, replica),
      messageLog: async (replica) => new RedisMessageLog(await open(replica, Connection), keys, replica),
      messageLogOfTwo: async (replica) => new RedisMessageLog(await open(replica, Connection), keys, replica),
      board: async () => new RedisEnrolmentBoard(await open('a', Connection), keys),
      cut: (name) => {
        proxyOf(name).cut();
      },
      heal: (name) => {
        proxyOf(name).heal();
      },
      dropSubscribers: async () => {
        await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      },
      refuseWrites,
      close: async () => {
        await refuseWrites(false);
        await Promise.all(opened.map((connection) => connection.close()));
        await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
      },
    };
  }

  outboxSuite(redisPorts);
  busSuite(redisPorts);
  messageLogSuite(redisPorts);
  enrolmentBoardSuite(redisPorts);
  publisherSuite(redisPorts);

  describe('over one connection', () => {
    const sharedPorts = (): Promise<Ports> => redisPorts(true);
    outboxSuite(sharedPorts);
    busSuite(sharedPorts);
    publisherSuite(sharedPorts);
  });

  describe('besides', () => {
    it('a hash that somebody has filled is not read', async () => {
      const ports = await redisPorts();
      const key = new Keys(`conformance-${clusters}`).log('a', 1);
      const fields = Array.from({ length: fieldsMax + 1 }, (_, index) => [`field-${index}`, 'x'] as const);
      await admin.hset(key, Object.fromEntries(fields.slice(1)));
      const log = await ports.messageLog('a');
      expect(Object.keys(await log.read(1))).toHaveLength(fieldsMax);
      await admin.hset(key, Object.fromEntries(fields));
      expect(await log.read(1)).toEqual({});
      await ports.close();
    });

    it('clusters do not hear each other', async () => {
      const [one, other] = [await redisPorts(), await redisPorts()];
      const { ear } = await listen(one, 'a', ['commit']);
      const { ear: otherEar } = await listen(other, 'a', ['commit']);
      (await other.publisher('b')).publish([{ channel: 'commit', payload: text('of another cluster') }]);
      await eventually('the other cluster hears its own', () => otherEar.has('of another cluster'));
      (await one.publisher('b')).publish([{ channel: 'commit', payload: text('of this cluster') }]);
      await eventually('this cluster hears its own', () => ear.has('of this cluster'));
      expect(ear.texts).toEqual(['of this cluster']);
      await one.close();
      await other.close();
    });
  });
});
