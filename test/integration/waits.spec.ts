import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { RequestQueue } from '../../src/queue/request-queue.js';
import { Seal } from '../../src/queue/seal.js';
import { WebhookPolicy } from '../../src/queue/webhook-policy.js';
import { Connection } from '../../src/redis/connection.js';
import { eventually } from '../support/cluster-waiting.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';

jest.setTimeout(60_000);

/** Longer than a command and a heartbeat are waited for, milliseconds. */
const longerThanAnyAnswer = 3_000;

/** Nothing else runs meanwhile, as on a machine that has no CPU for this process. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('waits for Redis', () => {
  let redis: TestRedis;
  let mute: Server;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    mute = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
    await redis.stop();
  });

  it('do not blame a connection for a process that stood still itself', async () => {
    const connection = new Connection(redis.url);
    await connection.open();
    let closed = 0;
    let pings = 0;
    connection.redis.on('close', () => (closed += 1));
    const ping = connection.redis.ping.bind(connection.redis);
    connection.redis.ping = () => {
      pings += 1;
      const asked = ping();
      // The answer comes while nobody reads, and the timer is due first.
      if (pings === 1) setImmediate(standStill, longerThanAnyAnswer);
      return asked;
    };
    await eventually('the next heartbeats', () => pings >= 3);
    expect(closed).toBe(0);
    expect(connection.connected).toBe(true);
    await connection.close();
  });

  it('end when the queue is not ready in time, and say for what', async () => {
    const { port } = mute.address() as AddressInfo;
    const connection = new Connection(`redis://127.0.0.1:${String(port)}`);
    const queue = new RequestQueue({
      connection,
      prefix: 'quorate:{mute}:queue',
      seal: new Seal('a token that everybody has', 'cluster'),
      limits: { lengthMax: 100, attempts: 20, keepS: 3600 },
      webhooks: new WebhookPolicy(undefined, []),
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    await expect(queue.ready(100)).rejects.toMatchObject({
      code: 'bus-unavailable',
      message: expect.stringContaining('QUEUE_REDIS_URL'),
    });
    await connection.close();
  });
});
