import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { verifyReceiptText } from '../../src/crypto/verify-receipt.js';
import type { Reply } from '../../src/crypto/receipt.js';
import { TestCluster, until } from '../support/processes.js';

const slowMs = 120_000;
const increment = { op: 'increment', key: 'n' };

describe('four replica processes', () => {
  const cluster = new TestCluster(4, { DEADLINE_MS: '4000' });
  beforeAll(() => cluster.start(), slowMs);
  afterAll(() => cluster.stop(), slowMs);

  it(
    'agree on a request, and their receipt is genuine until any byte of it changes',
    async () => {
      const answer = await cluster.submit({ op: 'put', key: 'warTime', value: 8888 });
      expect(answer.status).toBe(200);
      expect(answer.body.result).toEqual({ ok: true });
      const { signatures } = (answer.body as Reply).receipt;
      const signers = new Set(signatures.map(({ replica }) => replica));
      expect(signers.size).toBeGreaterThanOrEqual(2);
      const membership = readFileSync(join(cluster.dataDir, 'membership.json'), 'utf8');
      expect(verifyReceiptText(answer.text, membership).valid).toBe(true);
      for (let place = 0; place < answer.text.length; place++) {
        const changed = String.fromCharCode(answer.text.charCodeAt(place) ^ 1);
        const text = answer.text.slice(0, place) + changed + answer.text.slice(place + 1);
        expect({ place, valid: verifyReceiptText(text, membership).valid }).toEqual({ place, valid: false });
      }
      const file = join(cluster.dataDir, 'receipt.json');
      writeFileSync(file, answer.text);
      expect((await cluster.cli('verify', file)).code).toBe(0);
      writeFileSync(file, answer.text.replace('true', 'false'));
      expect((await cluster.cli('verify', file)).code).toBe(1);
    },
    slowMs,
  );

  it('talk on the channels of the phases, and keep votes in hashes', async () => {
    const redis = new Redis(cluster.redisUrl.replace(/^unix:\/\//, ''));
    const channels = (await redis.pubsub('CHANNELS', 'quorate:*')) as string[];
    for (const phase of ['request', 'pre-prepare', 'prepare', 'commit', 'status']) {
      expect(channels).toContain(`quorate:{quorate}:${phase}`);
    }
    const fields = await redis.hkeys('quorate:{quorate}:log:replica-2:1');
    expect(fields.filter((field) => field.startsWith('prepare:')).length).toBeGreaterThanOrEqual(2);
    expect(fields.filter((field) => field.startsWith('commit:')).length).toBeGreaterThanOrEqual(3);
    redis.disconnect();
  });

  it(
    'answer reads, and the batch that was agreed with its certificate',
    async () => {
      expect((await cluster.request('/v1/kv/warTime')).body.value).toBe(8888);
      expect((await cluster.request('/v1/kv/warTime?consistency=local')).body.value).toBe(8888);
      expect((await cluster.request('/v1/kv/none')).status).toBe(404);
      const batch = (await cluster.request('/v1/log/1')).body;
      expect(batch.requests[0].operation).toEqual({ key: 'warTime', op: 'put', value: 8888 });
      expect(batch.certificate).toHaveLength(3);
      expect((await cluster.request('/v1/log/999999')).status).toBe(404);
      const got = await cluster.cli('get', 'warTime', '--json');
      expect(JSON.parse(got.stdout)).toMatchObject({ value: 8888 });
    },
    slowMs,
  );

  it(
    'execute a request with an idempotency key once',
    async () => {
      const key = { 'idempotency-key': 'once' };
      const [first, second] = await Promise.all([cluster.submit(increment, key), cluster.submit(increment, key)]);
      expect(second.text).toBe(first.text);
      await cluster.kill('gateway-1');
      cluster.restart('gateway-1');
      await until('the gateway is ready', async () => {
        return (await cluster.request('/health/ready')).status === 200 ? true : undefined;
      });
      const third = await cluster.submit(increment, key);
      expect(third.body).toMatchObject({ id: first.body.id, sequence: first.body.sequence, result: first.body.result });
      expect((await cluster.submit({ op: 'get', key: 'n' }, key)).status).toBe(409);
      expect((await cluster.request('/v1/kv/n')).body.value).toBe(1);
    },
    slowMs,
  );

  it(
    'go on when any one of them is killed, the primary too',
    async () => {
      for (const name of cluster.names) {
        const before = (await cluster.request('/v1/kv/n')).body.value as number;
        await cluster.kill(name);
        const answers = await Promise.all(Array.from({ length: 5 }, () => cluster.submit(increment)));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
        expect((await cluster.request('/v1/kv/n')).body.value).toBe(before + 5);
        cluster.restart(name);
        await cluster.untilAllAgree();
      }
    },
    slowMs,
  );

  it(
    'refuse in time when two are killed, lose nothing, and agree again when both are back',
    async () => {
      const before = (await cluster.request('/v1/kv/n')).body.value as number;
      await Promise.all([cluster.kill('replica-2'), cluster.kill('replica-4')]);
      const answer = await cluster.submit(increment);
      expect(answer.status).toBe(504);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({
        code: 'no-quorum',
        answered: ['replica-1', 'replica-3'],
        silent: ['replica-2', 'replica-4'],
        mayStillCommit: true,
      });
      cluster.restart('replica-2');
      cluster.restart('replica-4');
      const after = await until('requests are answered again', async () => {
        const again = await cluster.submit(increment);
        return again.status === 200 ? (again.body.result.value as number) : undefined;
      });
      expect(after).toBeGreaterThan(before);
      await cluster.untilAllAgree();
    },
    slowMs,
  );

  it(
    'say so while Redis is away, and go on when it is back',
    async () => {
      const before = (await cluster.request('/v1/kv/n')).body.value as number;
      await cluster.killRedis();
      await until('ready turns false', async () => {
        return (await cluster.request('/health/ready')).status === 503 ? true : undefined;
      });
      expect((await cluster.submit(increment)).body.code).toBe('bus-unavailable');
      await cluster.restartRedis();
      await until('requests are answered again', async () => {
        return (await cluster.submit(increment)).status === 200 ? true : undefined;
      });
      expect((await cluster.request('/v1/kv/n')).body.value).toBeGreaterThan(before);
      await cluster.untilAllAgree();
    },
    slowMs,
  );
});

describe.each([
  { n: 5, f: 1, q: 4 },
  { n: 6, f: 1, q: 4 },
  { n: 7, f: 2, q: 5 },
])('$n replica processes', ({ n, f, q }) => {
  const cluster = new TestCluster(n);
  beforeAll(() => cluster.start(), slowMs);
  afterAll(() => cluster.stop(), slowMs);

  it(
    `have the quorum ${q} and go on without ${f}`,
    async () => {
      expect(await cluster.status()).toMatchObject({ n, f, quorum: q });
      await Promise.all(cluster.names.slice(-f).map((name) => cluster.kill(name)));
      expect((await cluster.submit(increment)).body.result).toEqual({ ok: true, value: 1 });
    },
    slowMs,
  );
});
