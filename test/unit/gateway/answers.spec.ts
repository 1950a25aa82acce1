import { Script } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { z } from 'zod';
import {
  agreedBatchSchema,
  liveSchema,
  membershipSchema,
  readySchema,
  replySchema,
  statusSchema,
  valueSchema,
} from '../../../src/gateway/schemas.js';
import { exampleReply, exampleStatus } from '../../support/fake-cluster-client.js';
import { problemIn, PUT, start, stopAll, until } from './support.js';

afterEach(stopAll);

describe('POST /v1/requests', () => {
  it('answers 200 with the reply, and hands on what the client wrote', async () => {
    const { gateway, client } = await start();
    const answer = await request(gateway.url).post('/v1/requests').send(PUT);
    expect(answer.status).toBe(200);
    expect(replySchema.parse(answer.body)).toStrictEqual(exampleReply());
    expect(client.submitted).toStrictEqual([
      { operation: PUT.operation, options: { idempotencyKey: undefined, deadlineMs: 10_000 } },
    ]);
  });

  it.each([{}, { corsOrigins: ['http://page'] }])(
    'says the same past Express and through it, with %j',
    async (options) => {
      const { gateway } = await start(options);
      const headersWith = async (more: Record<string, string>): Promise<unknown> => {
        const answer = await request(gateway.url).post('/v1/requests').set(more).send(PUT).expect(200);
        const { date, ...headers } = answer.headers as Record<string, string>;
        expect(date).toBeDefined();
        return headers;
      };
      expect(await headersWith({})).toStrictEqual(await headersWith({ Prefer: 'nothing' }));
    },
  );

  it('hands on the idempotency key', async () => {
    const { gateway, client } = await start();
    const key = `~ ${'k'.repeat(254)}`;
    await request(gateway.url).post('/v1/requests').set('Idempotency-Key', key).send(PUT).expect(200);
    expect(client.submitted[0]?.options?.idempotencyKey).toBe(key);
  });

  it('ignores the preference for an asynchronous answer, as RFC 7240 allows', async () => {
    const { gateway } = await start();
    const answer = await request(gateway.url).post('/v1/requests').set('Prefer', 'respond-async').send(PUT);
    expect(answer.status).toBe(200);
    expect(answer.headers).not.toHaveProperty('preference-applied');
  });

  it.each([
    'application/json; charset=UTF-8',
    'APPLICATION/JSON',
    'application/ld+json',
    'application/json;charset="utf-8"',
  ])('takes %s', async (type) => {
    const { gateway } = await start();
    await request(gateway.url).post('/v1/requests').set('Content-Type', type).send(JSON.stringify(PUT)).expect(200);
  });

  it('takes a chunked body, and one that says it is not encoded', async () => {
    const { gateway } = await start();
    const body = new Blob([JSON.stringify(PUT)]).stream();
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'identity' };
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    expect((await fetch(`${gateway.url}/v1/requests`, init)).status).toBe(200);
  });

  it('keeps __proto__ in an operation an own property', async () => {
    const { gateway, client } = await start();
    const body = '{"operation":{"op":"put","key":"a","value":{"__proto__":{"polluted":true}}}}';
    await request(gateway.url).post('/v1/requests').set('Content-Type', 'application/json').send(body).expect(200);
    expect(JSON.stringify({ operation: client.submitted[0]?.operation })).toBe(body);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('takes an operation as deep as replicas do', async () => {
    const { gateway } = await start({ stateMachine: { name: 'm@1', operation: z.unknown() } });
    const body = `{"operation":${'['.repeat(32)}${']'.repeat(32)}}`;
    await request(gateway.url).post('/v1/requests').set('Content-Type', 'application/json').send(body).expect(200);
  });

  it('hands on what was sent, not what the schema makes of it', async () => {
    const operation = z.strictObject({ n: z.number().default(7) }).transform(({ n }) => n + 1);
    const { gateway, client } = await start({ stateMachine: { name: 'm@1', operation } });
    await request(gateway.url).post('/v1/requests').send({ operation: {} }).expect(200);
    expect(client.submitted[0]?.operation).toStrictEqual({});
  });
});

describe('GET /v1/kv/{key}', () => {
  it('reads linearizably unless asked otherwise', async () => {
    const { gateway, client } = await start();
    const { body } = await request(gateway.url).get('/v1/kv/a%2Fb%20%C3%A9').expect(200);
    const replicas = ['replica-1', 'replica-2', 'replica-3'];
    expect(valueSchema.parse(body)).toStrictEqual({
      key: 'a/b é',
      value: 8888,
      sequence: 42,
      consistency: 'linearizable',
      replicas,
    });
    await request(gateway.url).get('/v1/kv/a?consistency=local').expect(200);
    await request(gateway.url).get('/v1/kv/a?consistency=linearizable').expect(200);
    expect(client.queried.map(({ consistency }) => consistency)).toStrictEqual([
      'linearizable',
      'local',
      'linearizable',
    ]);
    expect(client.queried[0]).toMatchObject({ query: { op: 'get', key: 'a/b é' }, deadlineMs: 10_000 });
  });

  it('tells a null from a value that is not there', async () => {
    const { gateway, client } = await start();
    client.onQuery = (_query, consistency) => Promise.resolve({ value: null, sequence: 1, consistency, replicas: [] });
    expect((await request(gateway.url).get('/v1/kv/a').expect(200)).body).toMatchObject({ value: null });
    client.onQuery = (_query, consistency) =>
      Promise.resolve({ value: undefined, sequence: 7, consistency, replicas: ['replica-1'] });
    const problem = problemIn(await request(gateway.url).get('/v1/kv/a').expect(404));
    expect(problem).toMatchObject({
      code: 'not-found',
      sequence: 7,
      consistency: 'linearizable',
      replicas: ['replica-1'],
    });
  });

  it('is not there when the state machine answers no queries', async () => {
    const { gateway } = await start({ stateMachine: { name: 'm@1', operation: z.unknown() } });
    expect(problemIn(await request(gateway.url).get('/v1/kv/a').expect(404)).code).toBe('not-found');
    const { body } = await request(gateway.url).get('/openapi.json');
    expect(Object.keys((body as { paths: object }).paths)).not.toContain('/v1/kv/{key}');
  });
});

describe('the other reads', () => {
  it('GET /v1/log/{sequence}', async () => {
    const { gateway } = await start();
    const { body } = await request(gateway.url).get('/v1/log/42').expect(200);
    expect(agreedBatchSchema.parse(body).sequence).toBe(42);
    expect(problemIn(await request(gateway.url).get('/v1/log/43').expect(404))).toMatchObject({ sequence: 43 });
    await request(gateway.url).get('/v1/log/9007199254740991').expect(404);
  });

  it('GET /v1/status and /v1/membership', async () => {
    const { gateway } = await start();
    const status = await request(gateway.url).get('/v1/status').expect(200);
    expect(statusSchema.parse(status.body)).toStrictEqual(exampleStatus());
    membershipSchema.parse((await request(gateway.url).get('/v1/membership').expect(200)).body);
  });

  it('HEAD has the headers of GET and no body', async () => {
    const { gateway } = await start();
    const answer = await request(gateway.url).head('/v1/status').expect(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.text).toBeUndefined();
  });
});

describe('health', () => {
  it('is live and ready', async () => {
    const { gateway } = await start();
    liveSchema.parse((await request(gateway.url).get('/health/live').expect(200)).body);
    const { body } = await request(gateway.url).get('/health/ready').expect(200);
    expect(readySchema.parse(body)).toStrictEqual({
      status: 'ready',
      shuttingDown: false,
      busConnected: true,
      replicasConnected: 4,
      quorum: 3,
    });
  });

  it('is ready with a quorum and not below it', async () => {
    const { gateway, client } = await start();
    client.onStatus = () => exampleStatus(3);
    await request(gateway.url).get('/health/ready').expect(200);
    client.onStatus = () => exampleStatus(2);
    const problem = problemIn(await request(gateway.url).get('/health/ready').expect(503));
    expect(problem).toMatchObject({ code: 'no-quorum', replicasConnected: 2, quorum: 3, busConnected: true });
    await request(gateway.url).get('/health/live').expect(200);
  });

  it('is not ready without the bus, and says so', async () => {
    const { gateway, client } = await start();
    client.connected = false;
    const answer = await request(gateway.url).get('/health/ready').expect(503);
    expect(problemIn(answer)).toMatchObject({ code: 'bus-unavailable', busConnected: false });
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('is not ready while nothing is known of the cluster', async () => {
    const { gateway, client } = await start();
    client.onStatus = () => {
      throw new Error('no status yet');
    };
    const problem = problemIn(await request(gateway.url).get('/health/ready').expect(503));
    expect(problem).toMatchObject({ code: 'no-quorum', replicasConnected: null, quorum: null });
  });
});

describe('headers', () => {
  it('are set for a service that talks to programs', async () => {
    const { gateway } = await start();
    const { headers } = await request(gateway.url).get('/v1/status').set('Origin', 'https://elsewhere.example');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    for (const name of ['x-powered-by', 'etag', 'access-control-allow-origin', 'strict-transport-security']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it('are set on problems, too', async () => {
    const { gateway } = await start();
    const { headers } = await request(gateway.url).get('/nothing');
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(headers).not.toHaveProperty('etag');
  });
});

describe('the status page', () => {
  it('has three static parts under a strict policy', async () => {
    const { gateway } = await start();
    const page = await request(gateway.url).get('/').expect(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    expect(page.text).not.toMatch(/<script>|<style|style=|onload=/);
    const script = await request(gateway.url).get('/status.js').expect(200);
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(() => new Script(script.text)).not.toThrow();
    expect(script.text).not.toContain('innerHTML');
    const style = await request(gateway.url).get('/status.css').expect(200);
    expect(style.headers['content-type']).toBe('text/css; charset=utf-8');
  });
});

describe('metrics', () => {
  it('count requests by code, and show the replicas', async () => {
    const { gateway, client } = await start();
    await request(gateway.url).post('/v1/requests').send(PUT).expect(200);
    await request(gateway.url).post('/v1/requests').send({}).expect(400);
    await request(gateway.url).get('/nothing/here').expect(404);
    client.onStatus = () => {
      const status = exampleStatus();
      const [first] = status.replicas;
      if (first === undefined) throw new Error('unreachable');
      return { ...status, replicas: [{ ...first, refused: { 'wrong-view': 3, 'a"b\n': 4, 'c d': 5 } }] };
    };
    // An exchange is counted when its answer is written, which its client may notice first.
    const unmatched = 'quorate_http_requests_total{route="unmatched",method="GET",status="404",code="not-found"} 1';
    await until(async () => (await request(gateway.url).get('/metrics')).text.includes(unmatched));
    const { text, headers } = await request(gateway.url).get('/metrics').expect(200);
    expect(headers['content-type']).toContain('text/plain');
    for (const line of [
      'quorate_http_requests_total{route="/v1/requests",method="POST",status="200",code="ok"} 1',
      'quorate_http_requests_total{route="/v1/requests",method="POST",status="400",code="invalid-request"} 1',
      'quorate_http_request_duration_seconds_count{route="/v1/requests",method="POST"} 2',
      'quorate_gateway_in_flight 0',
      'quorate_gateway_bus_connected 1',
      'quorate_replica_connected{replica="replica-1"} 1',
      'quorate_replica_last_executed{replica="replica-1"} 42',
      'quorate_replica_refused{replica="replica-1",reason="wrong-view"} 3',
      'quorate_replica_refused{replica="replica-1",reason="other"} 9',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });
});
