import { afterEach, describe, expect, it } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import request from 'supertest';
import { AccessControl } from '../../../src/access/access-control.js';
import { AccessRules } from '../../../src/access/access-rules.js';
import { digestOfKey, newApiKey } from '../../../src/access/api-key.js';
import { tokenReader } from '../../../src/access/tokens.js';
import type { AsyncRequest, AsyncRequests, RequestStatus } from '../../../src/queue/async-requests.js';
import { exampleProof } from '../../support/fake-cluster-client.js';
import { problemIn, PUT, start, stopAll, type Started } from './support.js';
import KeyValueService from '../../../src/state-machine/key-value.js';

afterEach(stopAll);

const operatorKey = 'the-operator-has-this';
const secret = 'a secret of at least 32 characters';
const [alice, bob, late] = [newApiKey(), newApiKey(), newApiKey()] as const;
const sha256 = (key: string): string => digestOfKey(key).toString('hex');
const rules = new AccessRules(
  JSON.stringify({
    clients: [
      { name: 'alice', keys: [{ sha256: sha256(alice) }], rights: [{ operations: ['*'] }] },
      {
        name: 'bob',
        keys: [{ sha256: sha256(bob) }, { sha256: sha256(late), expires: '2001-01-01T00:00:00Z' }],
        rights: [
          { operations: ['put', 'get'], keyPrefix: 'bob/' },
          { operations: ['get'], keyPrefix: 'shared/' },
        ],
        requestsPerMinute: 3,
      },
    ],
  }),
);

/** Keeps requests and executes none. */
class FakeQueue implements AsyncRequests {
  readonly kept = new Map<string, AsyncRequest>();

  async submit(asked: AsyncRequest): Promise<RequestStatus> {
    const id = `r${sha256(asked.key ?? String(this.kept.size)).slice(0, 32)}`;
    this.kept.set(id, asked);
    return (await this.find(id, undefined))!;
  }

  async find(id: string, owner: string | null | undefined): Promise<RequestStatus | undefined> {
    const found = this.kept.get(id);
    if (found === undefined || (owner !== undefined && found.owner !== owner)) return undefined;
    return { id, state: 'waiting', attempts: 0, submittedAt: '2026-01-01T00:00:00.000Z' };
  }

  async cancel(id: string, owner: string | null | undefined): Promise<RequestStatus> {
    return { ...(await this.find(id, owner))!, state: 'cancelled' };
  }

  async counts(): Promise<Record<string, number>> {
    return { wait: this.kept.size };
  }

  async board(): ReturnType<AsyncRequests['board']> {
    return (_request, response) => response.end('the queues');
  }
}

/** A gateway that tells clients apart. Its limiter counts each client's requests up, minute or not. */
async function closed(): Promise<Started & { queue: FakeQueue }> {
  const counts = new Map<string, number>();
  const access = new AccessControl({
    ...{ rules: () => rules, requestsPerMinute: 100, operatorKey, now: () => Date.now() },
    tokens: await tokenReader({ issuer: 'me', audience: 'quorate', secret, jwks: undefined }),
    limiter: {
      take: async (client, perMinute) => {
        counts.set(client, (counts.get(client) ?? 0) + 1);
        return counts.get(client)! > perMinute ? 1_500 : 0;
      },
    },
  });
  const queue = new FakeQueue();
  return { ...(await start({ access, operatorKey, queue, stateMachine: new KeyValueService() })), queue };
}

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

async function token(claims: object, issuer = 'me', audience = 'quorate', key = secret): Promise<string> {
  const jwt = new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setIssuer(issuer).setAudience(audience);
  return await jwt.setExpirationTime('1h').sign(Buffer.from(key));
}

describe('where clients are told apart', () => {
  it.each([
    ['get', '/v1/kv/a'],
    ['get', '/v1/log/1'],
    ['get', '/v1/log'],
    ['get', '/v1/events'],
    ['get', '/v1/status'],
    ['get', '/v1/membership'],
    ['get', `/v1/requests/r${'0'.repeat(32)}`],
    ['delete', `/v1/requests/r${'0'.repeat(32)}`],
    ['post', '/v1/requests'],
  ] as const)('%s %s needs a token', async (method, path) => {
    const { gateway, client } = await closed();
    const agent = request(gateway.url);
    const answer = await agent[method](path).send(method === 'post' ? PUT : undefined);
    expect(problemIn(answer).code).toBe('unauthenticated');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="quorate"');
    expect(client.submitted).toEqual([]);
  });

  it.each(['/health/live', '/metrics', '/', '/docs', '/openapi.json'])('%s is open', async (path) => {
    const { gateway } = await closed();
    await request(gateway.url).get(path).expect(200);
  });

  it('a key that is not known, or whose time is over, is none', async () => {
    const { gateway } = await closed();
    for (const key of [newApiKey(), late, `${alice}x`, alice.slice(0, -1), 'x'.repeat(9000)]) {
      const answer = await request(gateway.url).get('/v1/status').set(bearer(key));
      expect(problemIn(answer).code).toBe('unauthenticated');
      expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
    }
    await request(gateway.url).get('/v1/status').set(bearer(alice)).expect(200);
    await request(gateway.url).get('/v1/status').set('authorization', `bearer  ${alice} `).expect(200);
  });

  it('a token counts when it is genuine, meant for us, and names a client', async () => {
    const { gateway } = await closed();
    const status = async (text: string): Promise<number> =>
      (await request(gateway.url).get('/v1/status').set(bearer(text))).status;
    expect(await status(await token({ sub: 'alice' }))).toBe(200);
    expect(await status(await token({ sub: 'carol' }))).toBe(403);
    expect(await status(await token({ sub: 'a b' }))).toBe(401);
    expect(await status(await token({}))).toBe(401);
    expect(await status(await token({ sub: 'alice' }, 'somebody'))).toBe(401);
    expect(await status(await token({ sub: 'alice' }, 'me', 'others'))).toBe(401);
    expect(await status(await token({ sub: 'alice' }, 'me', 'quorate', `another ${secret}`))).toBe(401);
    const claims = { sub: 'alice', iss: 'me', aud: 'quorate', exp: Math.floor(Date.now() / 1000) + 60 };
    expect(await status(new UnsecuredJWT(claims).encode())).toBe(401);
    const endless = new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256' }).setIssuer('me');
    expect(await status(await endless.setAudience('quorate').sign(Buffer.from(secret)))).toBe(401);
  });

  it.each([
    [{ op: 'put', key: 'bob/a', value: 1 }, 200],
    [{ op: 'get', key: 'shared/a' }, 200],
    [{ op: 'put', key: 'shared/a', value: 1 }, 403],
    [{ op: 'put', key: 'alice/a', value: 1 }, 403],
    [{ op: 'delete', key: 'bob/a' }, 403],
  ])('%j is answered with %d to whom it is allowed in part', async (operation, status) => {
    const { gateway, client } = await closed();
    const answer = await request(gateway.url).post('/v1/requests').set(bearer(bob)).send({ operation });
    expect(answer.status).toBe(status);
    const later = { ...bearer(bob), prefer: 'respond-async' };
    const async = await request(gateway.url).post('/v1/requests').set(later).send({ operation });
    expect(async.status).toBe(status === 200 ? 202 : status);
    expect(client.submitted).toHaveLength(status === 200 ? 1 : 0);
  });

  it('each line of a batch, and each part of a transaction, takes rights and counts', async () => {
    const { gateway, client } = await closed();
    const put = (key: string): object => ({ op: 'put', key, value: 1 });
    const operations = [
      put('bob/a'),
      put('alice/a'),
      { op: 'transaction', operations: [put('bob/a'), put('alice/a')] },
    ];
    const conditions = [{ key: 'alice/a', exists: true }];
    const lines = [
      ...operations,
      { op: 'transaction', conditions, operations: [put('bob/a')] },
      put('bob/b'),
      put('bob/c'),
    ];
    const answer = await request(gateway.url)
      .post('/v1/requests/batch')
      .set({ ...bearer(bob), 'content-type': 'application/x-ndjson' })
      .send(lines.map((operation) => JSON.stringify({ operation })).join('\n'));
    const answers = answer.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { problem?: { code: string } });
    const codes = answers.map(({ problem }) => problem?.code ?? 'ok');
    expect(codes).toEqual(['ok', 'forbidden', 'forbidden', 'forbidden', 'ok', 'overloaded']);
    expect(client.submitted).toHaveLength(2);
  });

  it('reads take rights, too', async () => {
    const { gateway } = await closed();
    await request(gateway.url).get('/v1/kv/bob%2Fa').set(bearer(bob)).expect(200);
    await request(gateway.url).get('/v1/kv/alice').set(bearer(bob)).expect(403);
    await request(gateway.url).get('/v1/log/1').set(bearer(bob)).expect(403);
    await request(gateway.url).get('/v1/log/1').set(bearer(alice)).expect(200);
  });

  it('a proof takes the right to read all that it shows', async () => {
    const { gateway, client } = await closed();
    await request(gateway.url).get('/v1/state/bob%2Fa').set(bearer(bob)).expect(200);
    await request(gateway.url).get('/v1/state/alice').set(bearer(bob)).expect(403);
    const absent = (before: string | null, after: string | null): void => {
      const entryOf = (key: string | null) => (key === null ? null : { key, value: 'secret' });
      const neighbours = { before: entryOf(before), after: entryOf(after) };
      client.onProve = (key) => Promise.resolve({ ...exampleProof(key), found: false, value: undefined, neighbours });
    };
    absent('alice/a', null);
    const answer = await request(gateway.url).get('/v1/state/bob%2Fb').set(bearer(bob));
    expect(problemIn(answer).code).toBe('forbidden');
    expect(answer.text).not.toContain('alice/a');
    await request(gateway.url).get('/v1/state/bob%2Fb').set(bearer(alice)).expect(200);
    client.onProve = () => Promise.resolve(undefined);
    const none = await request(gateway.url).get('/v1/state/bob%2Fb').set(bearer(alice));
    expect(problemIn(none).code).toBe('not-found');
  });

  it('who asks too much is told when to come again', async () => {
    const { gateway } = await closed();
    for (let count = 0; count < 3; count += 1) {
      await request(gateway.url).get('/v1/status').set(bearer(bob)).expect(200);
    }
    for (const ask of [request(gateway.url).get('/v1/status'), request(gateway.url).post('/v1/requests').send(PUT)]) {
      const answer = await ask.set(bearer(bob));
      expect(problemIn(answer).code).toBe('overloaded');
      expect(answer.headers['retry-after']).toBe('2');
    }
    await request(gateway.url).get('/v1/status').set(bearer(alice)).expect(200);
  });

  it('idempotency keys are each client’s own', async () => {
    const { gateway, client } = await closed();
    const operation = { op: 'put', key: 'bob/a', value: 1 };
    for (const key of [alice, bob, alice]) {
      const headers = { ...bearer(key), 'idempotency-key': 'k' };
      await request(gateway.url).post('/v1/requests').set(headers).send({ operation }).expect(200);
    }
    const [first, second, third] = client.submitted.map(({ options }) => options?.idempotencyKey);
    expect(first).toMatch(/^client:[0-9a-f]{64}$/);
    expect([first === second, first === third]).toEqual([false, true]);
  });

  it('an asynchronous request is its owner’s and the operator’s', async () => {
    const { gateway, queue } = await closed();
    const headers = { ...bearer(alice), prefer: 'wait=5, Respond-Async; x' };
    const { headers: answered } = await request(gateway.url).post('/v1/requests').set(headers).send(PUT).expect(202);
    expect([...queue.kept.values()]).toMatchObject([{ owner: 'alice' }]);
    const place = answered['location']!;
    await request(gateway.url).get(place).set(bearer(alice)).expect(200);
    await request(gateway.url).get(place).set(bearer(bob)).expect(404);
    await request(gateway.url).get(place).set(bearer(operatorKey)).expect(200);
  });

  it('the document says so', async () => {
    const { gateway } = await closed();
    const { body } = await request(gateway.url).get('/openapi.json').expect(200);
    expect(body.components.securitySchemes.client).toMatchObject({ type: 'http', scheme: 'bearer' });
    const { security, responses } = body.paths['/v1/requests'].post;
    expect(security).toEqual([{ client: [] }]);
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['202', '401', '403', '429', '503']));
    expect(Object.keys(body.paths['/v1/requests/{id}'])).toEqual(['get', 'delete']);
    expect(body.paths['/health/live'].get.security).toBeUndefined();
  });
});

describe('the operator’s pages', () => {
  it('are not there without a key', async () => {
    const { gateway } = await start({ queue: new FakeQueue() });
    await request(gateway.url).get('/operator/queues').expect(404);
  });

  it('open to the key, as a token or a password, and to nothing else', async () => {
    const { gateway } = await closed();
    const page = request(gateway.url);
    const refused = await page.get('/operator/queues');
    expect([problemIn(refused).code, refused.headers['www-authenticate']]).toEqual([
      'unauthenticated',
      'Basic realm="operator", charset="UTF-8"',
    ]);
    await page.get('/operator/queues').set(bearer(alice)).expect(401);
    await page.get('/operator/queues').auth('me', 'guess').expect(401);
    await page.get('/operator/queues').set(bearer(operatorKey)).expect(200, 'the queues');
    await page.get('/operator/queues').auth('me', operatorKey).expect(200, 'the queues');
  });

  it('take no commands that another site makes a browser send', async () => {
    const { gateway } = await closed();
    const command = (): request.Test => request(gateway.url).put('/operator/queues/api').auth('me', operatorKey);
    expect(problemIn(await command().set('sec-fetch-site', 'cross-site')).code).toBe('forbidden');
    expect(problemIn(await command().set('origin', 'https://evil.example')).code).toBe('forbidden');
    await command().set('sec-fetch-site', 'same-origin').expect(200);
    await command().set('origin', gateway.url).expect(200);
    await command().expect(200);
  });

  it('include the metrics when it is said so', async () => {
    const { gateway } = await start({ operatorKey, metricsAccess: 'operator' });
    await request(gateway.url).get('/metrics').expect(401);
    await request(gateway.url).get('/metrics').set(bearer(operatorKey)).expect(200);
  });
});

describe('pages of other origins', () => {
  const preflight = { origin: 'https://app.example', 'access-control-request-method': 'POST' };

  it('read nothing unless they are named', async () => {
    const { gateway } = await start();
    const answer = await request(gateway.url).get('/v1/status').set('origin', 'https://app.example').expect(200);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('read what they ask for when they are', async () => {
    const { gateway, client } = await start({ corsOrigins: ['https://app.example'] });
    const asked = await request(gateway.url).options('/v1/requests').set(preflight).expect(204);
    expect(asked.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example', vary: 'Origin' });
    expect(asked.headers['access-control-allow-headers']).toContain('idempotency-key');
    expect(asked.headers).not.toHaveProperty('access-control-allow-credentials');
    expect(client.submitted).toEqual([]);
    const posted = await request(gateway.url).post('/v1/requests').set('origin', 'https://app.example').send(PUT);
    expect([posted.status, posted.headers['access-control-allow-origin']]).toEqual([200, 'https://app.example']);
    const other = await request(gateway.url)
      .options('/v1/requests')
      .set({ ...preflight, origin: 'https://b.example' });
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('the file of clients', () => {
  const client = { name: 'a', rights: [] };

  it.each([
    ['{', /JSON/],
    ['{"clients":[],"more":1}', /more/],
    [JSON.stringify({ clients: [client, client] }), /two clients named a/],
    [JSON.stringify({ clients: [{ ...client, name: 'operator' }] }), /OPERATOR_KEY/],
    [JSON.stringify({ clients: [{ ...client, keys: [{ sha256: 'secret' }] }] }), /sha256/],
    [JSON.stringify({ clients: [{ ...client, rights: [{ operations: [] }] }] }), /operations/],
  ])('%s is refused', (text, why) => {
    expect(() => new AccessRules(text)).toThrow(why);
  });

  it('may have rights for all others whose tokens are genuine', () => {
    const right = { operations: ['get'] };
    const known = new AccessRules(JSON.stringify({ clients: [{ name: '*', rights: [right] }] }));
    expect(known.named('anybody')).toMatchObject({ name: 'anybody', rights: [right] });
  });
});
