import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parseMembership } from '../../src/crypto/membership.js';
import { verifyReceiptText } from '../../src/crypto/verify-receipt.js';
import type { RequestStatus } from '../../src/queue/async-requests.js';
import { eventually } from '../support/cluster-waiting.js';
import { areTestsLong } from '../support/long-tests.js';
import { testTimeoutMs, TestCluster, type Answer, type Api } from './support.js';

jest.setTimeout(areTestsLong ? 4 * testTimeoutMs : testTimeoutMs);

const secret = 'a secret that signs all webhooks';
const concurrency = 8;

describe('asynchronous requests', () => {
  let cluster: TestCluster;
  let api: Api;
  let other: Api;
  const received: { body: string; headers: Record<string, unknown> }[] = [];
  let receiver: Server;
  let webhook: string;

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push({ body: Buffer.concat(chunks).toString(), headers: request.headers });
        response.writeHead(received.length === 1 ? 500 : 204).end(); // the first one must come again
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const { port } = receiver.address() as AddressInfo;
    webhook = `http://127.0.0.1:${port}/done`;
    cluster = await TestCluster.start({
      gateways: ['gateway-1', 'gateway-2'].map((name) => ({ name, port: 0 })),
      settings: {
        DEADLINE_MS: '3000',
        QUEUE_CONCURRENCY: String(concurrency),
        WEBHOOK_SECRET: secret,
        WEBHOOK_HOSTS: `127.0.0.1:${port}`,
      },
    });
    api = cluster.api('gateway-1');
    other = cluster.api('gateway-2');
  });

  afterAll(async () => {
    try {
      await TestCluster.removeAll();
    } finally {
      receiver.close(); // else a cluster that does not end would keep the whole run from ending, too
    }
  });

  const submit = async (gateway: Api, body: object, key?: string): Promise<Answer<RequestStatus>> => {
    const headers = { prefer: 'respond-async', ...(key === undefined ? {} : { 'idempotency-key': key }) };
    return (await gateway.post(JSON.stringify(body), headers)) as unknown as Answer<RequestStatus>;
  };

  const increment = (key: string, more: object = {}): object => ({ operation: { op: 'increment', key }, ...more });

  const statusOf = async (gateway: Api, id: string): Promise<RequestStatus> =>
    (await gateway.ask<RequestStatus>(`/v1/requests/${id}`)).body;

  const untilState = async (gateway: Api, id: string, state: RequestStatus['state']): Promise<RequestStatus> => {
    let status: RequestStatus | undefined;
    await eventually(`${id} is ${state}`, async () => (status = await statusOf(gateway, id)).state === state, 60_000);
    return status!;
  };

  const halt = (signal: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const name of cluster.replicaNames.slice(0, 2)) cluster.signal(name, signal);
  };

  it('are answered at once, and later with a genuine receipt, by any gateway', async () => {
    const accepted = await submit(api, increment('plain'));
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('location')).toBe(`/v1/requests/${accepted.body.id}`);
    expect(accepted.headers.get('preference-applied')).toBe('respond-async');
    const { reply, attempts } = await untilState(other, accepted.body.id, 'completed');
    expect([reply?.result, attempts]).toEqual([{ ok: true, value: 1 }, 1]);
    const members = parseMembership((await api.ask<object>('/v1/membership')).body);
    expect(verifyReceiptText(JSON.stringify(reply), members)).toMatchObject({ valid: true });
  });

  it('with one key are one request, at all gateways, synchronous or not', async () => {
    const answers = await Promise.all(
      [api, other, api, other].map(async (one) => submit(one, increment('key'), 'key')),
    );
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    const { reply } = await untilState(api, answers[0]!.body.id, 'completed');
    expect((await other.agreed({ op: 'increment', key: 'key' }, 'key')).sequence).toBe(reply?.sequence);
    expect(await api.value('key')).toBe(1);
    const conflict = await submit(other, { operation: { op: 'delete', key: 'key' } }, 'key');
    expect([conflict.status, conflict.body]).toMatchObject([409, { code: 'idempotency-conflict' }]);
  });

  it('say by a signed webhook that they have come to their end', async () => {
    const { body } = await submit(api, increment('hook', { webhook }));
    await eventually('it was delivered again after a refusal', () => received.length === 2);
    const { body: text, headers } = received[1]!;
    expect(text).toBe(received[0]!.body);
    expect(JSON.parse(text)).toMatchObject({ id: body.id, state: 'completed', reply: { result: { value: 1 } } });
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
    const signature = createHmac('sha256', secret).update(signed).digest('base64');
    expect([headers['webhook-id'], headers['webhook-signature']]).toEqual([body.id, `v1,${signature}`]);
    const elsewhere = await submit(api, increment('hook', { webhook: 'http://169.254.169.254/' }));
    expect([elsewhere.status, elsewhere.body]).toMatchObject([400, { code: 'invalid-request' }]);
  });

  it('can be cancelled before they are proposed, and are tried again when there was no quorum', async () => {
    halt('SIGSTOP');
    const stuck = await Promise.all(
      Array.from({ length: 2 * concurrency }, async () => submit(api, increment('stuck'))),
    );
    await eventually('they are under way', async () => {
      const states = await Promise.all(stuck.map(async ({ body }) => (await statusOf(other, body.id)).state));
      return states.every((state) => state === 'active' || state === 'retrying');
    });
    const late = await api.ask(`/v1/requests/${stuck[0]!.body.id}`, { method: 'DELETE' });
    expect([late.status, late.body.code]).toEqual([409, 'already-proposed']);
    const queued = await submit(api, increment('cancelled'));
    const cancelled = await other.ask<RequestStatus>(`/v1/requests/${queued.body.id}`, { method: 'DELETE' });
    // All places were taken a moment ago; where one came free meanwhile it is too late, and says so.
    expect([200, 409]).toContain(cancelled.status);
    halt('SIGCONT');
    for (const { body } of stuck) await untilState(api, body.id, 'completed');
    expect(await api.value('stuck')).toBe(2 * concurrency);
    const fate = await untilState(api, queued.body.id, cancelled.status === 200 ? 'cancelled' : 'completed');
    expect(await api.value('cancelled')).toBe(fate.state === 'cancelled' ? undefined : 1);
  });

  it('that one gateway took are finished by another when it is killed', async () => {
    halt('SIGSTOP');
    const accepted = await Promise.all(Array.from({ length: 20 }, async () => submit(api, increment('orphans'))));
    await cluster.kill('gateway-1');
    halt('SIGCONT');
    for (const { body } of accepted) await untilState(other, body.id, 'completed');
    expect(await other.value('orphans')).toBe(20);
  });

  const [count, kills] = areTestsLong ? [1000, 5] : [200, 2];

  it(`are each executed once: ${count} of them while their gateway is killed and started again ${kills} times`, async () => {
    await cluster.kill('gateway-2'); // there is nobody else who could finish them
    cluster.startMember('gateway-1');
    await cluster.untilReady('gateway-1');
    const ids = new Map<number, string>();
    let next = 0;
    const submitter = async (): Promise<void> => {
      for (let index = next++; index < count; index = next++) {
        await eventually(`request ${index} is accepted`, async () => {
          const answer = await submit(api, increment('once'), `once-${index}`).catch(() => undefined);
          if (answer?.status === 202) ids.set(index, answer.body.id);
          return answer?.status === 202;
        });
      }
    };
    const submitters = Promise.all(Array.from({ length: 8 }, submitter));
    for (let kill = 1; kill <= kills; kill += 1) {
      await eventually('more are accepted', () => ids.size >= (kill * count) / (kills + 1));
      await cluster.kill('gateway-1');
      cluster.startMember('gateway-1');
      await cluster.untilReady('gateway-1');
    }
    await submitters;
    const results: unknown[] = [];
    for (const id of ids.values()) {
      const { reply } = await untilState(api, id, 'completed');
      results.push((reply?.result as { value: number }).value);
    }
    expect(new Set(ids.values()).size).toBe(count);
    expect(results.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(await api.value('once')).toBe(count);
  });
});
