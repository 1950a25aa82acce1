import { afterEach, describe, expect, it } from '@jest/globals';
import { QuorateError } from '../../../src/errors.js';
import { lineAnswerSchema } from '../../../src/gateway/schemas.js';
import { exampleReply, Gate } from '../../support/fake-cluster-client.js';
import type { Reply } from '../../../src/crypto/receipt.js';
import { start, stopAll, until, type Started } from './support.js';

const put = (key: string, more: object = {}): string =>
  JSON.stringify({ operation: { op: 'put', key, value: 1 }, ...more });

interface LineAnswer {
  readonly line: number;
  readonly reply?: { readonly result: unknown };
  readonly problem?: {
    readonly code: string;
    readonly status: number;
    readonly errors?: readonly { pointer: string }[];
  };
}

async function post(
  { gateway }: Started,
  body: string | Uint8Array<ArrayBuffer>,
  type = 'application/x-ndjson',
): Promise<{ status: number; type: string | null; text: string; answers: LineAnswer[] }> {
  const headers = { 'Content-Type': type };
  const response = await fetch(`${gateway.url}/v1/requests/batch`, { method: 'POST', headers, body });
  const text = await response.text();
  const lines = response.ok ? text.split('\n').filter((line) => line !== '') : [];
  const answers = lines.map((line) => lineAnswerSchema.parse(JSON.parse(line)) as LineAnswer);
  return { status: response.status, type: response.headers.get('content-type'), text, answers };
}

describe('a batch of operations', () => {
  afterEach(stopAll);

  it('is answered line for line, in order, whatever is done first', async () => {
    const started = await start();
    const gates = new Map<string, Gate<Reply>>();
    started.client.onSubmit = (operation) => {
      const { key } = operation as { key: string };
      const gate = new Gate<Reply>();
      gates.set(key, gate);
      return gate.wait();
    };
    const answer = post(started, `${put('a')}\n\n${put('b')}\r\n  \n${put('c')}`);
    await until(() => gates.size === 3);
    for (const key of ['c', 'a', 'b']) gates.get(key)?.open(exampleReply({ key }));
    const { status, type, answers } = await answer;
    expect([status, type]).toEqual([200, 'application/x-ndjson']);
    expect(answers.map(({ line, reply }) => [line, reply?.result])).toEqual([
      [1, { key: 'a' }],
      [3, { key: 'b' }],
      [5, { key: 'c' }],
    ]);
  });

  it('streams: what is done is answered before the rest is', async () => {
    const started = await start();
    const gate = new Gate<Reply>();
    started.client.onSubmit = (operation) =>
      (operation as { key: string }).key === 'late' ? gate.wait() : Promise.resolve(exampleReply());
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const many = Array.from({ length: 8 }, (_, index) => put(`k${index}`)).join('\n');
    const body = `${many}\n${put('late')}\n`;
    const response = await fetch(`${started.gateway.url}/v1/requests/batch`, { method: 'POST', headers, body });
    const reader = response.body!.getReader();
    let text = '';
    while (text.split('\n').length < 6) text += Buffer.from((await reader.read()).value ?? []).toString();
    expect(gate.arrivals).toBe(1);
    gate.open(exampleReply());
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += Buffer.from(part.value).toString();
    expect(text.trimEnd().split('\n')).toHaveLength(9);
  });

  it('has no more under way at once than a part of what the gateway takes', async () => {
    const started = await start({ inFlightMax: 16 });
    let [underway, most] = [0, 0];
    started.client.onSubmit = async () => {
      most = Math.max(most, ++underway);
      await new Promise((resolve) => setImmediate(resolve));
      underway--;
      return exampleReply();
    };
    const { answers } = await post(started, Array.from({ length: 100 }, (_, index) => put(`k${index}`)).join('\n'));
    expect([answers.length, most]).toEqual([100, 4]);
  });

  it('may fail in one line without the others', async () => {
    const started = await start();
    started.client.onSubmit = (operation) =>
      (operation as { key: string }).key === 'refused'
        ? Promise.reject(new QuorateError('overloaded', 'too many'))
        : Promise.resolve(exampleReply());
    const lines = [put('a'), '{', '[]', '{"operation":{"op":"put"}}', put('refused'), put('a', { more: 1 }), put('z')];
    const { status, answers } = await post(started, lines.join('\n'));
    expect(status).toBe(200);
    expect(answers.map(({ problem }) => problem?.code)).toEqual([
      undefined,
      'invalid-request',
      'invalid-request',
      'invalid-request',
      'overloaded',
      'invalid-request',
      undefined,
    ]);
  });

  it('takes an idempotency key for each line', async () => {
    const started = await start();
    const keys = [undefined, 'one', '', 'é', 'x'.repeat(257), 7];
    const body = keys.map((idempotencyKey) => put('a', { idempotencyKey })).join('\n');
    const { answers } = await post(started, body);
    expect(answers.map(({ problem }) => problem?.status)).toEqual([undefined, undefined, 400, 400, 400, 400]);
    expect(started.client.submitted.map(({ options }) => options?.idempotencyKey)).toEqual([undefined, 'one']);
  });

  it('is refused as a whole when it is no NDJSON, too long, or too large', async () => {
    const started = await start();
    expect((await post(started, put('a'), 'application/json')).status).toBe(415);
    const lines = `${put('a')}\n`.repeat(10_001);
    expect((await post(started, lines)).status).toBe(413);
    expect((await post(started, new Uint8Array(16 * 1024 * 1024 + 1))).status).toBe(413);
    expect(started.client.submitted).toEqual([]);
  });

  it('refuses a line that is longer than a request may be', async () => {
    const started = await start({ bodyBytesMax: 200 });
    const { answers } = await post(started, `${put('x'.repeat(300))}\n${put('a')}`);
    expect(answers.map(({ problem }) => problem?.code)).toEqual(['request-too-large', undefined]);
  });

  it('begins nothing more when the client has gone', async () => {
    const started = await start({ inFlightMax: 16 });
    const gate = new Gate<Reply>();
    started.client.onSubmit = () => gate.wait();
    const abort = new AbortController();
    const body = Array.from({ length: 50 }, (_, index) => put(`k${index}`)).join('\n');
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const url = `${started.gateway.url}/v1/requests/batch`;
    const asked = fetch(url, { method: 'POST', headers, body, signal: abort.signal }).then((response) =>
      response.text(),
    );
    await until(() => gate.arrivals === 4);
    abort.abort();
    await expect(asked).rejects.toThrow();
    gate.open(exampleReply());
    await started.gateway.close();
    expect(gate.arrivals).toBeLessThan(10);
  });
});
