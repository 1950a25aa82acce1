import { afterEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import type { AgreedBatch, QueryAnswer } from '../../../src/client/cluster-client.js';
import type { Reply } from '../../../src/crypto/receipt.js';
import { exampleBatch, exampleReply, Gate } from '../../support/fake-cluster-client.js';
import {
  BODY,
  LARGE,
  PROBE,
  problemIn,
  PUT,
  RawClient,
  rawPost,
  start,
  type Started,
  statusAsked,
  stopAll,
  submitHeld,
  until,
} from './support.js';

afterEach(stopAll);

async function inFlight({ gateway }: Started): Promise<number> {
  const { text } = await request(gateway.url).get('/metrics');
  return Number(/^quorate_gateway_in_flight (\d+)$/m.exec(text)?.[1]);
}

async function post({ gateway }: Started): Promise<number> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${gateway.url}/v1/requests`, { method: 'POST', headers, body: BODY });
  if (answer.status !== 200) {
    problemIn({ status: answer.status, headers: answer.headers, body: await answer.json() });
    expect(answer.headers.get('retry-after')).toBe('1');
  }
  return answer.status;
}

describe('requests in flight', () => {
  it('above the cap are answered 429, the others 200, and afterwards there is room again', async () => {
    const started = await start({ inFlightMax: 4 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const statuses: number[] = [];
    const all = Promise.all(Array.from({ length: 20 }, async () => statuses.push(await post(started))));
    await until(() => statuses.length === 16 && gate.arrivals === 4);
    expect(new Set(statuses)).toStrictEqual(new Set([429]));
    expect(started.client.attended).toBe(20); // refused ones keep nobody from hearing what the replicas answer
    gate.open(exampleReply());
    await all;
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    await until(async () => (await inFlight(started)) === 0);
    started.client.onSubmit = () => Promise.resolve(exampleReply());
    expect(await post(started)).toBe(200);
  });

  it('are counted before a body has come, and reads count as well', async () => {
    const started = await start({ inFlightMax: 3 });
    const { gateway, client } = started;
    const queries = new Gate<QueryAnswer>();
    const batches = new Gate<AgreedBatch | undefined>();
    client.onQuery = () => queries.wait();
    client.onAgreedBatch = () => batches.wait();
    const [slow, query, batch] = await Promise.all([0, 1, 2].map(() => RawClient.connect(gateway.url)));
    slow?.send(...rawPost(BODY).slice(0, -1), BODY.slice(0, 5));
    query?.send('GET /v1/kv/a HTTP/1.1', 'Host: g', '', '');
    batch?.send('GET /v1/log/1 HTTP/1.1', 'Host: g', '', '');
    await until(async () => (await inFlight(started)) === 3);
    expect(await post(started)).toBe(429);
    slow?.send(BODY.slice(5));
    expect((await slow?.answer())?.status).toBe(200);
    batches.open(exampleBatch(1));
    queries.open({ value: 1, sequence: 1, consistency: 'linearizable', replicas: [] });
    expect((await query?.answer())?.status).toBe(200);
    expect((await batch?.answer())?.status).toBe(200);
  });

  it('have fewer places while answers are late, whatever the most may be', async () => {
    const started = await start({ inFlightMax: 128, deadlineMs: 200 });
    const placesAt = async (): Promise<number> => {
      const { text } = await request(started.gateway.url).get('/metrics');
      return Number(/^quorate_gateway_in_flight_max (\d+)$/m.exec(text)?.[1]);
    };
    expect(await placesAt()).toBe(128);
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const accepted = fetch(`${started.gateway.url}/v1/requests`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: BODY,
    });
    expect((await accepted).status).toBe(504);
    expect(await placesAt()).toBe(64);
    gate.open(exampleReply());
  });

  it('do not keep anyone from status, probes, metrics and docs', async () => {
    const started = await start({ inFlightMax: 1 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const accepted = post(started);
    await until(() => gate.arrivals === 1);
    for (const path of [
      '/v1/status',
      '/v1/membership',
      '/health/live',
      '/health/ready',
      '/metrics',
      '/',
      '/openapi.json',
    ]) {
      await request(started.gateway.url).get(path).expect(200);
    }
    gate.open(exampleReply());
    expect(await accepted).toBe(200);
  });

  it('are refused alike, whether anything about them is unusual or not, and counted alike', async () => {
    const started = await start({ inFlightMax: 1 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const accepted = post(started);
    await until(() => gate.arrivals === 1);
    const refused = async (more: Record<string, string>) => {
      const headers = { 'Content-Type': 'application/json', ...more };
      const answer = await fetch(`${started.gateway.url}/v1/requests`, { method: 'POST', headers, body: BODY });
      const { instance, ...body } = (await answer.json()) as { readonly instance: string };
      const { date, ...said } = Object.fromEntries(answer.headers);
      expect(date).toBeDefined();
      return { status: answer.status, said, instance, body };
    };
    const [plain, again, unusual] = [await refused({}), await refused({}), await refused({ Prefer: 'nothing' })];
    expect({ ...plain, instance: '' }).toEqual({ ...unusual, instance: '' });
    expect(plain.status).toBe(429);
    for (const { instance } of [plain, unusual]) expect(instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
    expect(again.instance).not.toBe(plain.instance);
    const { text } = await request(started.gateway.url).get('/metrics');
    expect(text).toContain('{route="/v1/requests",method="POST",status="429",code="overloaded"} 3');
    gate.open(exampleReply());
    expect(await accepted).toBe(200);
  });

  it('are counted where a refusal has to wait for another answer of its connection, too', async () => {
    const started = await start({ inFlightMax: 1 });
    const { raw, gate } = await submitHeld(started);
    const asked = statusAsked(started.client);
    raw.send(`${rawPost(BODY).join('\r\n')}${PROBE}`);
    await asked;
    gate.open(exampleReply());
    expect((await raw.answer()).status).toBe(200);
    expect((await raw.answer()).status).toBe(429);
    const { text } = await request(started.gateway.url).get('/metrics');
    expect(text).toContain('{route="/v1/requests",method="POST",status="429",code="overloaded"} 1');
  });

  it('refused ones leave the connection usable, even with the body unread', async () => {
    const started = await start({ inFlightMax: 1 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const accepted = post(started);
    await until(() => gate.arrivals === 1);
    const raw = await RawClient.connect(started.gateway.url);
    raw.send(...rawPost(BODY));
    const refused = await raw.answer();
    expect(problemIn(refused)).toMatchObject({ status: 429, code: 'overloaded', inFlightMax: 1 });
    raw.send('GET /health/live HTTP/1.1', 'Host: g', '', '');
    expect((await raw.answer()).body).toContain('live');
    gate.open(exampleReply());
    expect(await accepted).toBe(200);
  });

  it('refused ones whose body breaks get no second answer, which would be taken for that of the next', async () => {
    const started = await start({ inFlightMax: 1 });
    const { raw: accepted, gate } = await submitHeld(started);
    const raw = await RawClient.connect(started.gateway.url);
    raw.send('POST /v1/requests HTTP/1.1', 'Host: g', 'Transfer-Encoding: chunked', '', 'ZZ', '');
    expect((await raw.answer()).status).toBe(429);
    await raw.untilClosed();
    expect(raw.rest).toBe('');
    const { text } = await request(started.gateway.url).get('/metrics');
    expect(text).not.toContain('route="unparsed"');
    gate.open(exampleReply());
    expect((await accepted.answer()).status).toBe(200);
  });

  it.each([
    [
      'an error',
      (gate: Gate<Reply>) => {
        gate.fail(new Error('broken'));
      },
    ],
    [
      'a reply',
      (gate: Gate<Reply>) => {
        gate.open(exampleReply());
      },
    ],
  ])('give their place back after %s', async (_name, settle) => {
    const started = await start({ inFlightMax: 1 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const answer = request(started.gateway.url)
      .post('/v1/requests')
      .send(PUT)
      .then((response) => response.status);
    await until(() => gate.arrivals === 1);
    settle(gate);
    await answer;
    await until(async () => (await inFlight(started)) === 0);
  });
});

describe('a client that hangs up', () => {
  it('cancels nothing: its operation keeps its place until the cluster has answered', async () => {
    const started = await start({ inFlightMax: 1 });
    const { raw, gate } = await submitHeld(started);
    raw.destroy();
    const gone = 'quorate_http_requests_total{route="/v1/requests",method="POST",status="none",code="client-gone"} 1';
    await until(async () => (await request(started.gateway.url).get('/metrics')).text.includes(gone));
    expect(await inFlight(started)).toBe(1);
    expect(await post(started)).toBe(429);
    gate.open(exampleReply());
    await until(async () => (await inFlight(started)) === 0);
    expect(started.logged.map(({ message }) => message)).not.toContain('a request failed');
  });

  it('in the middle of its body frees its place, and nothing is submitted', async () => {
    const started = await start({ inFlightMax: 1 });
    const raw = await RawClient.connect(started.gateway.url);
    raw.send(...rawPost(BODY).slice(0, -1), BODY.slice(0, 5));
    await until(async () => (await inFlight(started)) === 1);
    raw.destroy();
    await until(async () => (await inFlight(started)) === 0);
    expect(started.client.submitted).toHaveLength(0);
    expect(started.logged.map(({ message }) => message)).not.toContain('a request failed');
  });

  it('without hanging up, by not reading its answer, does not keep its place for ever', async () => {
    const started = await start({ inFlightMax: 1, deadlineMs: 500 });
    started.client.onSubmit = () => Promise.resolve(exampleReply('x'.repeat(LARGE)));
    const raw = await RawClient.connect(started.gateway.url);
    raw.pause();
    raw.send(...rawPost(BODY));
    await until(() => started.client.submitted.length === 1);
    await until(async () => (await inFlight(started)) === 0);
    raw.destroy();
  });

  it('with pipelined requests frees the places of all of them', async () => {
    const started = await start({ inFlightMax: 4 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const raw = await RawClient.connect(started.gateway.url);
    for (let i = 0; i < 3; i += 1) raw.send(...rawPost(BODY));
    await until(() => gate.arrivals === 3);
    raw.destroy();
    gate.open(exampleReply());
    await until(async () => (await inFlight(started)) === 0);
  });
});
