import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { QuorateError } from '../../src/errors.js';
import type { AsyncRequest } from '../../src/queue/async-requests.js';
import { createGateway } from '../../src/gateway/gateway.js';
import { openQueue, type OpenQueue, type OpenQueueOptions } from '../../src/queue/open-queue.js';
import { idOfKey } from '../../src/queue/request-job.js';
import { Seal } from '../../src/queue/seal.js';
import { WebhookPolicy } from '../../src/queue/webhook-policy.js';
import { Connection } from '../../src/redis/connection.js';
import { RedisRateLimiter } from '../../src/redis/redis-rate-limiter.js';
import KeyValueService from '../../src/state-machine/key-value.js';
import { eventually } from '../support/cluster-waiting.js';
import { exampleReply, FakeClusterClient, Gate } from '../support/fake-cluster-client.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';
import type { Reply } from '../../src/crypto/receipt.js';

jest.setTimeout(60_000);

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the queue of asynchronous requests', () => {
  let redis: TestRedis;
  let connection: Connection;
  let client: FakeClusterClient;
  let open: OpenQueue[] = [];
  let clusters = 0;
  let prefix = '';

  beforeAll(async () => {
    redis = await startTestRedis();
    connection = new Connection(redis.url);
    await connection.open();
  });

  afterAll(async () => {
    await connection.close();
    await redis.stop();
  });

  beforeEach(() => {
    client = new FakeClusterClient();
    prefix = `quorate:{queue-${(clusters += 1)}}:queue`;
  });

  afterEach(async () => {
    await Promise.all(open.map(async (queue) => await queue.close(1_000)));
    open = [];
  });

  const start = async (options: Partial<OpenQueueOptions> = {}): Promise<OpenQueue['requests']> => {
    const queue = await openQueue({
      ...{ connection, redisUrl: redis.url, prefix, client, stateMachine: new KeyValueService(), logger: silent },
      seal: new Seal('a token that everybody has', 'cluster'),
      limits: { lengthMax: 100, attempts: 20, keepS: 3600 },
      ...{ concurrency: 4, deadlineMs: 1_000, webhooks: new WebhookPolicy(undefined, []) },
      ...options,
    });
    open.push(queue);
    return queue.requests;
  };

  const put = (value: number, more: Partial<AsyncRequest> = {}): AsyncRequest => {
    return { key: undefined, operation: { op: 'put', key: 'a', value }, owner: null, webhook: undefined, ...more };
  };

  const untilState = async (requests: OpenQueue['requests'], id: string, state: string): Promise<void> => {
    await eventually(`${id} is ${state}`, async () => (await requests.find(id, undefined))?.state === state);
  };

  const codeOf = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof QuorateError ? error.code : String(error);
  };

  it('submits each under its own key, tries again what may go well another time, and tells of both', async () => {
    let failures = 2;
    client.onSubmit = () => {
      failures -= 1;
      const error = new QuorateError('no-quorum', 'nobody answers', { mayStillCommit: true });
      return failures >= 0 ? Promise.reject(error) : Promise.resolve(exampleReply());
    };
    const requests = await start();
    const { id } = await requests.submit(put(1));
    await untilState(requests, id, 'completed');
    const keys = client.submitted.map(({ options }) => options?.idempotencyKey);
    expect(keys).toEqual([keys[0], keys[0], keys[0]]);
    expect(idOfKey(keys[0]!)).toBe(id);
    expect(await requests.find(id, undefined)).toMatchObject({ attempts: 3, reply: exampleReply() });
  });

  it('gives up at once what cannot go well, and after the last attempt what might', async () => {
    const requests = await start({ limits: { lengthMax: 100, attempts: 2, keepS: 3600 } });
    client.onSubmit = () => Promise.reject(new QuorateError('idempotency-conflict', 'used'));
    const first = await requests.submit(put(1, { key: 'first' }));
    await untilState(requests, first.id, 'failed');
    client.onSubmit = () => Promise.reject(new QuorateError('overloaded', 'busy'));
    const second = await requests.submit(put(1, { key: 'second' }));
    await untilState(requests, second.id, 'failed');
    const statuses = await Promise.all([first, second].map(async ({ id }) => await requests.find(id, undefined)));
    expect(statuses).toMatchObject([
      { attempts: 1, error: { code: 'idempotency-conflict', detail: 'used' } },
      { attempts: 2, error: { code: 'overloaded', detail: 'busy' } },
    ]);
    client.onSubmit = () => Promise.resolve(exampleReply());
    expect((await requests.submit(put(1, { key: 'second' }))).id).toBe(second.id);
    await untilState(requests, second.id, 'completed');
  });

  it('announces that a request failed, and then that it was completed after all, as two messages', async () => {
    const taken: unknown[] = [];
    const receiver = createServer((request, response) => {
      taken.push(request.headers['webhook-id']);
      request.resume().on('end', () => response.end());
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    try {
      const requests = await start({ webhooks: new WebhookPolicy('a secret of the operator', [host]) });
      const request = put(1, { key: 'hook', webhook: `http://${host}/` });
      client.onSubmit = () => Promise.reject(new QuorateError('idempotency-conflict', 'used'));
      const { id } = await requests.submit(request);
      await eventually('the failure was announced', () => taken.length === 1);
      await untilState(requests, id, 'failed');
      client.onSubmit = () => Promise.resolve(exampleReply());
      await requests.submit(request);
      await eventually('the success was announced', () => taken.length === 2);
      expect(taken).toEqual([`${id}-failed`, id]);
    } finally {
      await Promise.all(open.splice(0).map(async (queue) => await queue.close(1_000)));
      receiver.closeAllConnections();
      receiver.close();
    }
  });

  it('is as long as it may be, and no longer', async () => {
    const gate = new Gate<Reply>();
    client.onSubmit = () => gate.wait();
    const requests = await start({ limits: { lengthMax: 3, attempts: 1, keepS: 3600 } });
    const outcomes = await Promise.all([1, 2, 3, 4, 5].map(async (value) => codeOf(requests.submit(put(value)))));
    expect(outcomes.filter((code) => code === 'overloaded')).toHaveLength(2);
    await eventually('three are under way', () => gate.arrivals === 3);
    gate.open(exampleReply());
    await eventually('there is room again', async () => (await codeOf(requests.submit(put(6)))) !== 'overloaded');
    await eventually('it is under way', () => gate.arrivals === 4);
    gate.open(exampleReply());
  });

  it('cancels what waits, and refuses when it is too late', async () => {
    const gate = new Gate<Reply>();
    client.onSubmit = () => gate.wait();
    const requests = await start({ concurrency: 1 });
    const [first, second] = [await requests.submit(put(1)), await requests.submit(put(2))];
    await eventually('the first is under way', () => gate.arrivals === 1);
    expect(await codeOf(requests.cancel(first.id, undefined))).toBe('already-proposed');
    expect(await requests.cancel(second.id, undefined)).toMatchObject({ state: 'cancelled', attempts: 0 });
    gate.open(exampleReply());
    await untilState(requests, first.id, 'completed');
    await eventually(
      'the second is over',
      async () => (await requests.find(second.id, null))?.finishedAt !== undefined,
    );
    expect(await requests.cancel(second.id, undefined)).toMatchObject({ state: 'cancelled' });
    expect(gate.arrivals).toBe(1);
    expect(await codeOf(requests.cancel(first.id, undefined))).toBe('already-proposed');
    expect(await codeOf(requests.cancel(`r${'0'.repeat(32)}`, undefined))).toBe('not-found');
  });

  it('shows a request to its owner alone', async () => {
    const requests = await start();
    const { id } = await requests.submit(put(1, { owner: 'alice' }));
    await untilState(requests, id, 'completed');
    expect(await requests.find(id, 'alice')).toBeDefined();
    expect(await requests.find(id, 'bob')).toBeUndefined();
    expect(await codeOf(requests.cancel(id, 'bob'))).toBe('not-found');
    expect(await requests.find('../etc', undefined)).toBeUndefined();
  });

  it('executes nothing, and shows nothing, that no gateway has written (rule 34)', async () => {
    const gate = new Gate<Reply>();
    client.onSubmit = () => gate.wait();
    const requests = await start({ concurrency: 1 });
    await requests.submit(put(1));
    await eventually('it is under way', () => gate.arrivals === 1);
    const { id } = await requests.submit(put(2, { owner: 'alice' }));
    const hash = `${prefix}:requests:${id}`;
    const data = JSON.parse((await connection.redis.hget(hash, 'data'))!) as Record<string, unknown>;
    for (const change of [{ owner: 'bob' }, { operation: { op: 'delete', key: 'a' } }, { more: 1 }]) {
      await connection.redis.hset(hash, 'data', JSON.stringify({ ...data, ...change }));
      expect(await requests.find(id, undefined)).toBeUndefined();
    }
    gate.open(exampleReply());
    await eventually('it was refused', async () => {
      return (await connection.redis.hget(hash, 'failedReason'))?.startsWith('invalid-request') === true;
    });
    expect(gate.arrivals).toBe(1);
  });

  it('does not show a result that was meddled with, and gets it again', async () => {
    const requests = await start();
    const { id } = await requests.submit(put(1, { key: 'meddled' }));
    await untilState(requests, id, 'completed');
    const hash = `${prefix}:requests:${id}`;
    const stored = (await connection.redis.hget(hash, 'returnvalue'))!;
    await connection.redis.hset(hash, 'returnvalue', stored.replace('"ok":true', '"ok":false'));
    expect(await requests.find(id, undefined)).toMatchObject({ state: 'failed', error: { code: 'internal' } });
    await requests.submit(put(1, { key: 'meddled' }));
    await untilState(requests, id, 'completed');
  });

  it('keeps one request for one key, and refuses another operation, webhook or owner under it', async () => {
    const requests = await start();
    const answers = await Promise.all([1, 2, 3].map(async () => requests.submit(put(1, { key: 'k' }))));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    for (const other of [put(2, { key: 'k' }), put(1, { key: 'k', owner: 'bob' })]) {
      expect(await codeOf(requests.submit(other))).toBe('idempotency-conflict');
    }
    await untilState(requests, answers[0]!.id, 'completed');
    expect(client.submitted).toHaveLength(1);
  });

  it('has a page, behind the operator’s key', async () => {
    const operatorKey = 'the-operator-has-this';
    const requests = await start();
    const { id } = await requests.submit(put(1));
    await untilState(requests, id, 'completed');
    const gateway = await createGateway(client, {
      ...{ stateMachine: new KeyValueService(), queue: requests, operatorKey },
      ...{ bodyBytesMax: 4096, inFlightMax: 16, deadlineMs: 5_000, host: '127.0.0.1', port: 0 },
    });
    await gateway.listen();
    const get = async (path: string, key: string): Promise<Response> =>
      await fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}` } });
    expect((await get('/operator/queues/api/queues', 'a-guess-of-16-chars')).status).toBe(401);
    const page = await get('/operator/queues', operatorKey);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>Quorate</title>')]);
    const shown = await (await get('/operator/queues/api/queues', operatorKey)).json();
    expect(shown).toMatchObject({ queues: [{ name: 'requests', counts: { completed: 1 } }, { name: 'webhooks' }] });
    await gateway.close();
  });

  it('says that Redis is away', async () => {
    const gone = new Connection(redis.url);
    await gone.open();
    const requests = await start({ connection: gone });
    gone.redis.disconnect();
    expect(await codeOf(requests.submit(put(1)))).toBe('bus-unavailable');
    expect(await codeOf(requests.find(idOfKey('x'), undefined))).toBe('bus-unavailable');
    await gone.close();
  });
});

describe('the counts of requests', () => {
  it('are shared by gateways, and closed without Redis', async () => {
    const redis = await startTestRedis();
    const connections = [new Connection(redis.url), new Connection(redis.url)] as const;
    await Promise.all(connections.map(async (connection) => await connection.open()));
    const [one, other] = connections.map((connection) => new RedisRateLimiter(connection, 'quorate:{rates}:rate'));
    expect([await one!.take('a', 2), await other!.take('a', 2)]).toEqual([0, 0]);
    for (const limiter of [one!, other!]) {
      const waitMs = await limiter.take('a', 2);
      expect(waitMs).toBeGreaterThan(0);
      expect(waitMs).toBeLessThanOrEqual(60_000);
    }
    expect(await one!.take('b', 2)).toBe(0);
    await Promise.all(connections.map(async (connection) => await connection.close()));
    await expect(one!.take('b', 2)).rejects.toMatchObject({ code: 'bus-unavailable' });
    await redis.stop();
  });
});

describe('where webhooks may go', () => {
  const policy = new WebhookPolicy('a secret', ['hooks.example.com', '*.example.org:8443', '127.0.0.1:9']);

  it.each([
    'https://hooks.example.com/a?b',
    'http://HOOKS.example.com',
    'https://a.b.example.org:8443/',
    'http://127.0.0.1:9/',
    'http://127.1:9/', // the same, as URLs are read
  ])('%s', (url) => {
    expect(() => {
      policy.assertAllowed(url);
    }).not.toThrow();
  });

  it.each([
    'https://hooks.example.com:444/',
    'https://example.org:8443/',
    'https://evilexample.org:8443/',
    'https://a.example.org/',
    'http://127.0.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]:9/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'https://hooks.example.com@evil.example/',
    'https://user:pass@hooks.example.com/',
    'hooks.example.com',
    `https://hooks.example.com/${'x'.repeat(2048)}`,
  ])('not %s', (url) => {
    expect(() => {
      policy.assertAllowed(url);
    }).toThrow(QuorateError);
  });

  it('nowhere without a secret', () => {
    expect(() => {
      new WebhookPolicy(undefined, ['hooks.example.com']).assertAllowed('https://hooks.example.com/');
    }).toThrow(/WEBHOOK_SECRET/);
  });
});
