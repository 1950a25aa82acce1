import { afterEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { Gate } from '../../support/fake-cluster-client.js';
import { exampleReply } from '../../support/fake-cluster-client.js';
import type { Reply } from '../../../src/crypto/receipt.js';
import { problemIn, PUT, RawClient, rawPost, start, stopAll, submitHeld, until } from './support.js';

afterEach(stopAll);

const BODY = JSON.stringify(PUT);
const CHUNKED = [
  'POST /v1/requests HTTP/1.1',
  'Host: g',
  'Content-Type: application/json',
  'Transfer-Encoding: chunked',
  '',
];

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Padding inside JSON, so that a body of the right size is valid. */
function bodyOf(bytes: number): string {
  return BODY + ' '.repeat(bytes - BODY.length);
}

describe('the size of a body', () => {
  it('may be the limit and no more', async () => {
    const { gateway, client } = await start({ bodyBytesMax: 4096 });
    const post = (body: string): request.Test =>
      request(gateway.url).post('/v1/requests').set('Content-Type', 'application/json').send(body);
    await post(bodyOf(4096)).expect(200);
    expect(problemIn(await post(bodyOf(4097)).expect(413))).toMatchObject({
      code: 'request-too-large',
      bodyBytesMax: 4096,
    });
    expect(client.submitted).toHaveLength(1);
  });

  it('is counted while a chunked body streams in, and the connection goes on', async () => {
    const { gateway, client } = await start({ bodyBytesMax: 4096 });
    const raw = await RawClient.connect(gateway.url);
    raw.send(...CHUNKED, '');
    for (let i = 0; i < 5; i += 1) raw.send(chunk('x'.repeat(1000)));
    raw.send('0\r\n\r\n');
    expect(problemIn(await raw.answer()).status).toBe(413);
    raw.send(...rawPost(BODY));
    expect((await raw.answer()).status).toBe(200);
    expect(client.submitted).toHaveLength(1);
  });

  it('has an end even for a client that never ends: the answer comes, and the connection is closed', async () => {
    const { gateway } = await start({ bodyBytesMax: 4096 });
    const raw = await RawClient.connect(gateway.url);
    raw.send(...CHUNKED, '');
    for (let i = 0; i < 20; i += 1) raw.send(chunk('x'.repeat(64 * 1024)));
    const answer = await raw.answer();
    expect(problemIn(answer).status).toBe(413);
    expect(answer.headers.connection).toBe('close');
    await raw.untilClosed();
  });

  it('is refused unread when it is declared far too large', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(
      'POST /v1/requests HTTP/1.1',
      'Host: g',
      'Content-Type: application/json',
      'Content-Length: 99999999999',
      '',
      '',
    );
    const answer = await raw.answer();
    expect(problemIn(answer).status).toBe(413);
    expect(answer.headers.connection).toBe('close');
    await raw.untilClosed();
  });
});

describe('Expect: 100-continue', () => {
  it('is met when the body is wanted', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    const lines = rawPost(BODY, 'Expect: 100-continue');
    raw.send(...lines.slice(0, -1), '');
    expect((await raw.answer()).status).toBe(100);
    raw.send(BODY);
    const answer = await raw.answer();
    expect(answer.status).toBe(200);
    expect(answer.headers.connection).toBe('keep-alive');
  });

  it.each<[string, readonly string[], number]>([
    ['a body that is too large', rawPost(bodyOf(5000), 'Expect: 100-continue'), 413],
    ['a body of another type', rawPost(BODY, 'Expect: 100-continue', 'Content-Encoding: gzip'), 415],
  ])('is not met for %s, and the connection ends', async (_name, lines, status) => {
    const { gateway } = await start({ bodyBytesMax: 4096 });
    const raw = await RawClient.connect(gateway.url);
    raw.send(...lines.slice(0, -1), '');
    const answer = await raw.answer();
    expect(problemIn(answer).status).toBe(status);
    expect(answer.headers.connection).toBe('close');
    await raw.untilClosed();
  });

  it('anything else that is expected: 417', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...rawPost(BODY, 'Expect: a-miracle'));
    expect(problemIn(await raw.answer())).toMatchObject({ status: 417, code: 'invalid-request' });
  });
});

describe('what is not well-formed HTTP', () => {
  it.each<[string, readonly string[], number]>([
    ['nonsense', ['nonsense', '', ''], 400],
    ['TLS', ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'], 400],
    ['HTTP/2 without TLS', ['PRI * HTTP/2.0', '', 'SM', '', ''], 400],
    ['no Host', ['GET /v1/status HTTP/1.1', '', ''], 400],
    ['two Hosts', ['GET /v1/status HTTP/1.1', 'Host: a', 'Host: b', '', ''], 400],
    ['a space before a colon', ['GET /v1/status HTTP/1.1', 'Host : a', '', ''], 400],
    ['a folded header', ['GET /v1/status HTTP/1.1', 'Host: a', 'X: a', ' b', '', ''], 400],
    ['a header with NUL', ['GET /v1/status HTTP/1.1', 'Host: a', 'X: a\0b', '', ''], 400],
    ['headers over 16 KiB', ['GET /v1/status HTTP/1.1', 'Host: a', `X: ${'x'.repeat(17_000)}`, '', ''], 431],
    ['a URL over 16 KiB', [`GET /${'x'.repeat(17_000)} HTTP/1.1`, 'Host: a', '', ''], 431],
  ])('%s', async (_name, lines, status) => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...lines);
    expect(problemIn(await raw.answer()).status).toBe(status);
  });

  it('CONNECT is answered as a method that nothing here has', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send('CONNECT elsewhere:443 HTTP/1.1', 'Host: elsewhere:443', '', '');
    expect(problemIn(await raw.answer()).status).toBe(405);
    await raw.untilClosed();
  });

  it('an upgrade is not made: the request is answered as it is', async () => {
    const { gateway } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send('GET /v1/status HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket', '', '');
    expect((await raw.answer()).status).toBe(200);
  });
});

describe('smuggling: a body whose end two parsers could see in two places', () => {
  const smuggled = ['GET /v1/membership HTTP/1.1', 'Host: g', '', ''].join('\r\n');
  const start1 = ['POST /v1/requests HTTP/1.1', 'Host: g', 'Content-Type: application/json'];
  it.each<[string, readonly string[]]>([
    [
      'Content-Length and Transfer-Encoding',
      ['Content-Length: 4', 'Transfer-Encoding: chunked', '', `0\r\n\r\n${smuggled}`],
    ],
    ['two Content-Lengths', ['Content-Length: 2', 'Content-Length: 40', '', `{}${smuggled}`]],
    ['a list of Content-Lengths', ['Content-Length: 2, 40', '', `{}${smuggled}`]],
    ['a signed Content-Length', ['Content-Length: +2', '', `{}${smuggled}`]],
    ['a hexadecimal Content-Length', ['Content-Length: 0x2', '', `{}${smuggled}`]],
    ['chunked not last', ['Transfer-Encoding: chunked, identity', '', `0\r\n\r\n${smuggled}`]],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked', '', `0\r\n\r\n${smuggled}`]],
    ['an unknown coding first', ['Transfer-Encoding: gzip, chunked', '', `0\r\n\r\n${smuggled}`]],
    ['a misspelt coding', ['Transfer-Encoding: xchunked', '', `0\r\n\r\n${smuggled}`]],
    ['a vertical tab in the coding', ['Transfer-Encoding: \x0bchunked', '', `0\r\n\r\n${smuggled}`]],
    ['a chunk size with a sign', ['Transfer-Encoding: chunked', '', `+0\r\n\r\n${smuggled}`]],
    [
      'a chunk size that overflows',
      ['Transfer-Encoding: chunked', '', `10000000000000002\r\n{}\r\n0\r\n\r\n${smuggled}`],
    ],
    ['a bare line feed after a chunk size', ['Transfer-Encoding: chunked', '', `2\n{}\r\n0\r\n\r\n${smuggled}`]],
    ['data longer than its chunk', ['Transfer-Encoding: chunked', '', `2\r\n{}{}\r\n0\r\n\r\n${smuggled}`]],
  ])('%s: refused, and what follows is not a request', async (_name, lines) => {
    const { gateway, client } = await start();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...start1, ...lines);
    const { status } = problemIn(await raw.answer());
    expect([400, 415]).toContain(status);
    await until(() => raw.closed || raw.rest.startsWith('HTTP/1.1'));
    // 415: the body was delimited without doubt, so that a pipelined request after it is one.
    if (status === 400) expect(raw.rest).not.toContain('HTTP/1.1 200');
    expect(client.submitted).toHaveLength(0);
  });
});

describe('pipelined requests', () => {
  it('are answered in their order', async () => {
    const { gateway, client } = await start();
    const gate = new Gate<Reply>();
    client.onSubmit = () => gate.wait();
    const raw = await RawClient.connect(gateway.url);
    raw.send(...rawPost(BODY));
    raw.send('GET /health/live HTTP/1.1', 'Host: g', '', '');
    await until(() => gate.arrivals === 1);
    gate.open(exampleReply(1));
    expect((await raw.answer()).body).toContain('"result":1');
    expect((await raw.answer()).body).toContain('live');
  });

  it('garbage after an accepted request costs that request nothing', async () => {
    const { raw, gate } = await submitHeld(await start());
    raw.send('garbage\r\n\r\n');
    raw.send('more garbage\r\n\r\n');
    gate.open(exampleReply(1));
    expect((await raw.answer()).status).toBe(200);
    expect(problemIn(await raw.answer()).status).toBe(400);
    await raw.untilClosed();
    expect(raw.rest).toBe('');
  });

  it('a body that breaks after an accepted request is answered in its turn', async () => {
    const { raw, gate } = await submitHeld(await start());
    raw.send(...CHUNKED, '', 'zz\r\n');
    gate.open(exampleReply(1));
    expect((await raw.answer()).status).toBe(200);
    expect(problemIn(await raw.answer())).toMatchObject({ status: 400, code: 'invalid-request' });
    await raw.untilClosed();
    expect(raw.rest).toBe('');
  });
});

describe('time', () => {
  it('headers that do not come: 408', async () => {
    const { gateway } = await start({ deadlineMs: 60 });
    const raw = await RawClient.connect(gateway.url);
    raw.send('POST /v1/requests HTTP/1.1', 'Host: ');
    expect(problemIn(await raw.answer())).toMatchObject({ status: 408, code: 'request-timeout' });
    await raw.untilClosed();
  });

  it('a body that does not come: 408, and its place is free again', async () => {
    const { gateway, client } = await start({ deadlineMs: 60, inFlightMax: 1 });
    const raw = await RawClient.connect(gateway.url);
    raw.send(...rawPost(BODY).slice(0, -1), '{"oper');
    const answer = await raw.answer();
    expect(problemIn(answer)).toMatchObject({ status: 408, code: 'request-timeout' });
    expect(answer.headers.connection).toBe('close');
    await raw.untilClosed();
    expect(client.submitted).toHaveLength(0);
    await until(async () => (await request(gateway.url).post('/v1/requests').send(PUT)).status === 200);
  });

  it('connections above the limit are closed, those below it served', async () => {
    const { gateway } = await start({ connectionsMax: 2 });
    const clients = [await RawClient.connect(gateway.url), await RawClient.connect(gateway.url)];
    for (const raw of clients) {
      raw.send('GET /health/live HTTP/1.1', 'Host: g', '', '');
      expect((await raw.answer()).status).toBe(200);
    }
    await (await RawClient.connect(gateway.url)).untilClosed();
    clients[0]?.send('GET /health/live HTTP/1.1', 'Host: g', '', '');
    expect((await clients[0]?.answer())?.status).toBe(200);
  });
});
