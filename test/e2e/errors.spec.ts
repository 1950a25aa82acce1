import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../support/cluster-waiting.js';
import { testTimeoutMs, TestCluster, type Answer, type Api, type Outcome } from './support.js';

jest.setTimeout(testTimeoutMs);

const bodyBytesMax = 2048;
const inFlightMax = 2;

describe('what a gateway refuses', () => {
  let cluster: TestCluster;
  let api: Api;

  beforeAll(async () => {
    const settings = { BODY_BYTES_MAX: `${bodyBytesMax}`, IN_FLIGHT_MAX: `${inFlightMax}`, DEADLINE_MS: '20000' };
    cluster = await TestCluster.start({ ownRedis: true, settings });
    api = cluster.api();
  });

  afterAll(TestCluster.removeAll);

  const expectProblem = ({ status, headers, body }: Answer<Outcome>, expected: number, code: string): void => {
    expect({ status, code: body.code }).toEqual({ status: expected, code });
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ status: expected, type: `urn:quorate:problem:${code}` });
    expect(body.detail).not.toBe('');
  };

  const put = (value: string): string => `{"operation":{"op":"put","key":"a","value":${value}}}`;

  it.each([
    ['no JSON', '{"operation":'],
    ['no operation', '{}'],
    ['no object', '[]'],
    ['a field that there is not', '{"operation":{"op":"get","key":"a"},"more":1}'],
    ['an operation that the state machine does not know', '{"operation":{"op":"drop","key":"a"}}'],
    ['deep nesting', put('['.repeat(100) + ']'.repeat(100))],
    ['an integer that a double would round', put('9007199254740993')],
    ['two equal keys', '{"operation":{"op":"get","key":"a","key":"b"}}'],
  ])('%s: 400', async (_, body) => {
    expectProblem(await api.post(body), 400, 'invalid-request');
  });

  it('a body over the limit: 413', async () => {
    expectProblem(await api.post(put(`"${'x'.repeat(bodyBytesMax)}"`)), 413, 'request-too-large');
  });

  it('another type of content: 415', async () => {
    expectProblem(await api.post(put('1'), { 'content-type': 'text/plain' }), 415, 'unsupported-media-type');
  });

  it('what is not there: 404', async () => {
    for (const path of ['/v1/kv/absent', '/v1/log/1000000', '/v2']) {
      expectProblem(await api.ask(path), 404, 'not-found');
    }
  });

  it('another method: 405', async () => {
    expectProblem(await api.ask('/v1/requests', { method: 'PUT' }), 405, 'method-not-allowed');
  });

  it('more requests than may be in flight: 429, and the others are answered', async () => {
    const halted = cluster.replicaNames.slice(0, 2);
    for (const name of halted) cluster.signal(name, 'SIGSTOP');
    const submissions = Array.from({ length: inFlightMax + 3 }, async () => await api.post(put('1')));
    const refused = await firstOf(submissions, 3);
    for (const answer of refused) {
      expectProblem(answer, 429, 'overloaded');
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    for (const name of halted) cluster.signal(name, 'SIGCONT');
    const answers = await Promise.all(submissions);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(inFlightMax);
    expect(cluster.endings).toEqual(new Map());
  });

  it('Redis stopped: 503 and not ready, until it is back with all that was there', async () => {
    await api.agreed({ op: 'put', key: 'kept', value: 'through it' });
    await cluster.redis?.stop();
    await eventually('the gateway is not ready', async () => (await api.ask('/health/ready')).status === 503);
    expectProblem(await api.ask('/health/ready'), 503, 'bus-unavailable');
    const refused = await api.post(put('2'));
    expectProblem(refused, 503, 'bus-unavailable');
    expect(refused.headers.get('retry-after')).toBe('1');
    expectProblem(await api.ask('/v1/kv/kept'), 503, 'bus-unavailable');
    expect((await api.ask('/health/live')).status).toBe(200);

    await cluster.restartRedis();
    await cluster.untilReady('gateway-1');
    await api.agreement();
    expect(await api.value('kept')).toBe('through it');
    expect(cluster.endings).toEqual(new Map());
  });
});

/** Waits for the first so many to settle. */
async function firstOf<T>(promises: readonly Promise<T>[], count: number): Promise<readonly T[]> {
  const settled: T[] = [];
  return await new Promise((resolve, reject) => {
    for (const promise of promises) {
      promise.then((value) => {
        settled.push(value);
        if (settled.length === count) resolve(settled);
      }, reject);
    }
  });
}
