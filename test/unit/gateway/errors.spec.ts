import { afterEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { QuorateError, type QuorateErrorCode } from '../../../src/errors.js';
import { problemIn, PUT, RawClient, rawPost, start, stopAll } from './support.js';

afterEach(stopAll);

async function post(body: string | Buffer, headers: Record<string, string> = {}): Promise<request.Response> {
  const { gateway, client } = await start();
  const type = { 'Content-Type': 'application/json', ...headers };
  const answer = await request(gateway.url).post('/v1/requests').set(type).send(body);
  expect(client.submitted).toHaveLength(0);
  return answer;
}

describe('what the client throws', () => {
  const mayStillCommit = { answered: ['replica-1'], mayStillCommit: true };
  it.each<[QuorateErrorCode, number, Record<string, unknown>, Record<string, string>]>([
    ['invalid-request', 400, {}, {}],
    ['request-too-large', 413, {}, {}],
    ['not-found', 404, {}, {}],
    ['log-collected', 410, { sequence: 3 }, {}],
    ['idempotency-conflict', 409, { id: 'ab' }, {}],
    ['overloaded', 429, { inFlightMax: 9 }, { 'retry-after': '1' }],
    ['bus-unavailable', 503, mayStillCommit, { 'retry-after': '1' }],
    ['issuer-unavailable', 503, {}, { 'retry-after': '1' }],
    ['shutting-down', 503, {}, { 'retry-after': '1' }],
    ['no-quorum', 504, mayStillCommit, {}],
  ])('%s is answered with %d', async (code, status, details, headers) => {
    const { gateway, client, logged } = await start();
    client.onSubmit = () => Promise.reject(new QuorateError(code, 'Words for the caller.', details));
    const answer = await request(gateway.url).post('/v1/requests').send(PUT).expect(status);
    const problem = problemIn(answer);
    expect(problem).toMatchObject({ ...details, code });
    if (!code.endsWith('-unavailable')) expect(problem.detail).toBe('Words for the caller.');
    expect(answer.headers).toMatchObject(headers);
    expect(logged.map(({ message }) => message)).not.toContain('a request failed');
  });

  it('names no hosts when the bus is gone', async () => {
    const { gateway, client } = await start();
    const error = new QuorateError('bus-unavailable', 'connect ECONNREFUSED 10.1.2.3', { url: 'redis://u:secret@h' });
    client.onSubmit = () => Promise.reject(error);
    const { text } = await request(gateway.url).post('/v1/requests').send(PUT).expect(503);
    expect(text).not.toMatch(/10\.1\.2\.3|secret|redis:/);
  });

  it('cannot overwrite the members that every problem has', async () => {
    const { gateway, client } = await start();
    const details = { type: 'x', title: 'x', status: 200, detail: 'x', code: 'x', instance: 'x', id: 'kept' };
    client.onSubmit = () => Promise.reject(new QuorateError('no-quorum', 'True.', details));
    const problem = problemIn(await request(gateway.url).post('/v1/requests').send(PUT).expect(504));
    expect(problem).toMatchObject({ code: 'no-quorum', detail: 'True.', id: 'kept' });
  });

  it.each([
    ['an error of nobody', new Error('secret of the house')],
    ['a code that is no caller’s business', new QuorateError('unsafe-redis', 'secret of the house', { secret: 1 })],
    ['an internal error', new QuorateError('internal', 'secret of the house', { secret: 1 })],
  ])('%s is answered with 500, logged, and not told', async (_name, error) => {
    const { gateway, client, logged } = await start();
    client.onSubmit = () => Promise.reject(error);
    const answer = await request(gateway.url).post('/v1/requests').send(PUT).expect(500);
    const problem = problemIn(answer);
    expect(problem.code).toBe('internal');
    expect(answer.text).not.toContain('secret');
    const entry = logged.find(({ message }) => message === 'a request failed');
    expect(entry?.facts).toMatchObject({ err: error, instance: problem.instance, path: '/v1/requests' });
  });

  it('synchronously is no different', async () => {
    const { gateway, client } = await start();
    client.onSubmit = () => {
      throw new QuorateError('idempotency-conflict', 'The key belongs to another operation.');
    };
    expect(problemIn(await request(gateway.url).post('/v1/requests').send(PUT).expect(409)).code).toBe(
      'idempotency-conflict',
    );
  });

  it('a client that never settles is given up: 504, and it may still commit', async () => {
    const { gateway, client } = await start({ deadlineMs: 1000 });
    client.onSubmit = () => new Promise(() => undefined);
    const problem = problemIn(await request(gateway.url).post('/v1/requests').send(PUT).expect(504));
    expect(problem).toMatchObject({ code: 'no-quorum', mayStillCommit: true, answered: [] });
  });
});

describe('bodies that are not what the contract says: 400 invalid-request', () => {
  it.each<[string, string | Buffer, string]>([
    ['empty', '', 'syntax'],
    ['not JSON', '{"operation":', 'syntax'],
    ['followed by something', `${JSON.stringify(PUT)}x`, 'syntax'],
    ['nested too deep', `{"operation":${'['.repeat(2000)}${']'.repeat(2000)}}`, 'too-deep'],
    ['nested a level too deep', `{"operation":${'['.repeat(33)}${']'.repeat(33)}}`, 'too-deep'],
    ['with 2^53+1', '{"operation":{"op":"put","key":"a","value":9007199254740993}}', 'number-out-of-range'],
    ['with an equal key', '{"operation":{"op":"put","key":"a","value":1,"value":2}}', 'duplicate-key'],
    ['with an equal key at the top', '{"operation":1,"\\u006fperation":2}', 'duplicate-key'],
    ['with -0', '{"operation":{"op":"put","key":"a","value":-0}}', 'negative-zero'],
    ['with half a surrogate pair', '{"operation":{"op":"put","key":"\\ud800","value":1}}', 'lone-surrogate'],
    ['not UTF-8', Buffer.from('{"operation":"\xff"}', 'latin1'), 'not-utf8'],
    ['with a byte order mark', `\uFEFF${JSON.stringify(PUT)}`, 'byte-order-mark'],
  ])('%s', async (_name, body, reason) => {
    const { gateway, client } = await start();
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(`${gateway.url}/v1/requests`, {
      method: 'POST',
      headers,
      body: Uint8Array.from(Buffer.from(body)),
    });
    const problem = problemIn({ status: answer.status, headers: answer.headers, body: await answer.json() });
    expect(problem).toMatchObject({ status: 400, code: 'invalid-request', reason });
    expect(client.submitted).toHaveLength(0);
  });

  it.each<[string, unknown, string[]]>([
    ['a number', 1, ['#']],
    ['an array', [PUT], ['#']],
    ['null', null, ['#']],
    ['no operation', {}, ['#/operation']],
    ['no own operation', JSON.parse('{"__proto__":{"operation":1}}'), ['#/operation', '#/__proto__']],
    ['an unknown field', { ...PUT, 'a/b': 1, idempotencyKey: 'x' }, ['#/a~1b', '#/idempotencyKey']],
    ['an operation that the state machine does not have', { operation: { op: 'steal' } }, ['#/operation/op']],
    ['a field of the wrong type', { operation: { op: 'put', key: 1, value: 1 } }, ['#/operation/key']],
    ['an unknown field of an operation', { operation: { op: 'delete', key: 'a', x: 1 } }, ['#/operation']],
  ])('%s', async (_name, body, pointers) => {
    const problem = problemIn(await post(JSON.stringify(body)));
    expect(problem).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(problem.errors?.map(({ pointer }) => pointer)).toStrictEqual(pointers);
  });

  it('names a bounded number of issues, each of bounded length', async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${String(i)}${'k'.repeat(70)}`, 0]));
    const problem = problemIn(await post(JSON.stringify(many)));
    expect(problem.errors).toHaveLength(16);
    const unknown = { operation: { op: 'delete', key: 'a', ['x'.repeat(3000)]: 1 } };
    expect(JSON.stringify(problemIn(await post(JSON.stringify(unknown)))).length).toBeLessThan(1000);
  });

  it('a state machine that checks asynchronously is a fault of the service', async () => {
    const validate = (): Promise<{ value: number }> => Promise.resolve({ value: 1 });
    const operation = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const { gateway, client } = await start({ stateMachine: { name: 'm@1', operation } });
    expect(problemIn(await request(gateway.url).post('/v1/requests').send(PUT).expect(500)).code).toBe('internal');
    expect(client.submitted).toHaveLength(0);
  });
});

describe('idempotency keys that are not taken', () => {
  it.each([
    ['empty', ''],
    ['too long', 'k'.repeat(257)],
    ['with a tab', 'a\tb'],
    ['not ASCII', 'é'],
  ])('%s', async (_name, key) => {
    const problem = problemIn(await post(JSON.stringify(PUT), { 'Idempotency-Key': key }));
    expect(problem).toMatchObject({ status: 400, code: 'invalid-request' });
  });

  it('two of them', async () => {
    const { gateway, client } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...rawPost(JSON.stringify(PUT), 'Idempotency-Key: a', 'Idempotency-Key: a'));
    expect(problemIn(await raw.answer())).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(client.submitted).toHaveLength(0);
  });
});

describe('415 unsupported-media-type', () => {
  it.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x'],
    ['application/jsonp'],
    ['text/json'],
    ['application/json; charset=utf-16'],
    ['application/json; charset=iso-8859-1'],
    ['nonsense'],
  ])('Content-Type: %s', async (type) => {
    const answer = await post(JSON.stringify(PUT), { 'Content-Type': type });
    expect(problemIn(answer)).toMatchObject({ status: 415, code: 'unsupported-media-type' });
    expect(answer.headers['accept-post']).toBe('application/json');
  });

  it.each(['gzip', 'br', 'deflate', 'identity, gzip', 'zstd'])('Content-Encoding: %s', async (encoding) => {
    const { gzipSync } = await import('node:zlib');
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    const body = gzipSync(JSON.stringify(PUT))
      .toString('latin1')
      .replaceAll(/[^ -~]/g, 'x');
    raw.send(...rawPost(body, `Content-Encoding: ${encoding}`));
    const answer = await raw.answer();
    expect(problemIn(answer)).toMatchObject({ status: 415, code: 'unsupported-media-type' });
    expect(answer.headers['accept-encoding']).toBe('identity');
  });

  it('no Content-Type, and two of them', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send('POST /v1/requests HTTP/1.1', 'Host: g', 'Content-Length: 2', '', '{}');
    expect(problemIn(await raw.answer()).status).toBe(415);
    raw.send(...rawPost(JSON.stringify(PUT), 'Content-Type: text/plain'));
    expect(problemIn(await raw.answer()).status).toBe(415);
  });
});

describe('paths, methods and queries', () => {
  it.each([
    ['/'],
    ['/nothing'],
    ['/v1'],
    ['/v1/kv'],
    ['/v1/kv/'],
    ['/v1/kv/a/b'],
    ['/docs/nothing'],
    ['/docs/LICENSE'],
  ])('POST or GET %s', async (path) => {
    const { gateway } = await start();
    if (path !== '/') expect(problemIn(await request(gateway.url).get(path)).code).toBe('not-found');
    const posted = problemIn(await request(gateway.url).post(path));
    expect(posted.code).toMatch(/not-found|method-not-allowed/);
  });

  it.each([
    ['GET', '/v1/requests', 'POST'],
    ['PUT', '/v1/requests', 'POST'],
    ['OPTIONS', '/v1/requests', 'POST'],
    ['TRACE', '/v1/requests', 'POST'],
    ['POST', '/v1/kv/a', 'GET, HEAD'],
    ['DELETE', '/v1/kv/a', 'GET, HEAD'],
    ['POST', '/v1/log/1', 'GET, HEAD'],
    ['POST', '/v1/status?x=1', 'GET, HEAD'],
    ['PATCH', '/health/ready', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['PROPFIND', '/v1/status', 'GET, HEAD'],
  ])('%s %s has 405 and Allow: %s', async (method, path, allow) => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(`${method} ${path} HTTP/1.1`, 'Host: g', 'Content-Length: 0', '', '');
    const answer = await raw.answer();
    expect(problemIn(answer)).toMatchObject({ status: 405, code: 'method-not-allowed' });
    expect(answer.headers.allow).toBe(allow);
  });

  it.each([
    ['/v1/kv/%zz', 400],
    ['/v1/kv/%ff', 400],
    ['/v1/kv/%ed%a0%80', 400],
    ['/v1/kv/a?consistency=eventual', 400],
    ['/v1/kv/a?consistency=', 400],
    ['/v1/kv/a?consistency=local&consistency=local', 400],
    ['/v1/kv/a?consistency[]=local', 400],
    ['/v1/kv/a?consistancy=local', 400],
    ['/v1/kv/a?__proto__=1', 400],
    ['/v1/kv/a?%zz', 400],
    ['/v1/log/0', 400],
    ['/v1/log/-1', 400],
    ['/v1/log/1.5', 400],
    ['/v1/log/01', 400],
    ['/v1/log/1e3', 400],
    ['/v1/log/0x10', 400],
    ['/v1/log/abc', 400],
    ['/v1/log/9007199254740992', 400],
    ['/v1/log/99999999999999999999', 400],
    ['/v1/log/%31%zz', 400],
    ['/v1/log/1?x=1', 400],
    ['/v1/status?verbose', 400],
    ['/v1/membership?epoch=1', 400],
    [`/v1/kv/${'k'.repeat(9000)}`, 414],
  ])('GET %s', async (path, status) => {
    const { gateway, client } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(`GET ${path} HTTP/1.1`, 'Host: g', '', '');
    const problem = problemIn(await raw.answer());
    expect(problem).toMatchObject({ status, code: status === 414 ? 'request-too-large' : 'invalid-request' });
    expect(client.queried).toHaveLength(0);
    expect(JSON.stringify(problem).length).toBeLessThan(1000);
  });

  it('POST /v1/requests takes no query parameters', async () => {
    const { gateway, client } = await start();
    await request(gateway.url).post('/v1/requests?dryRun=true').send(PUT).expect(400);
    expect(client.submitted).toHaveLength(0);
  });

  it.each(['/docs/../../../etc/passwd', '/docs/%2e%2e/%2e%2e/package.json', '/docs/..%2f..%2fpackage.json'])(
    'no file outside the docs is served: %s',
    async (path) => {
      const { gateway } = await start();
      const raw = await RawClient.connect(gateway.url);
      raw.send(`GET ${path} HTTP/1.1`, 'Host: g', '', '');
      expect(problemIn(await raw.answer()).code).toMatch(/not-found|invalid-request/);
    },
  );
});
