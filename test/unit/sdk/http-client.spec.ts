import { keyOfOwner } from '../../../src/client/idempotency-keys.js';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AgreedBatch } from '../../../src/client/cluster-client.js';
import { sha256 } from '../../../src/crypto/digest.js';
import { sign } from '../../../src/crypto/ed25519.js';
import { membershipDocument } from '../../../src/crypto/membership.js';
import { buildReply, replyStatement, type Reply } from '../../../src/crypto/receipt.js';
import { sequence, view } from '../../../src/pbft/types.js';
import { connect, type ClusterEvent, type QuorateClient } from '../../../src/embedding/connect.js';
import { ScriptedCluster } from '../../../src/simulator/scripted-cluster.js';
import { digestOfRequest } from '../../../src/wire/bundle.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';
import { proveReplies } from '../../../src/wire/reply.js';
import { testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const document = membershipDocument(membership);

/** What an honest cluster answers. */
function genuineReply(operation: Json, key: string, result: Json = { ok: true }): Reply {
  const client = `key:${createHash('sha256').update(key).digest('hex')}`;
  const operationDigest = sha256(canonicalJsonBytes(operation));
  const bytes = canonicalJsonBytes(result);
  const requestDigest = digestOfRequest(client, 1, operationDigest);
  const resultDigest = sha256(bytes);
  const { root } = proveReplies([{ requestDigest, resultDigest }]);
  const statement = { view: view(0), sequence: sequence(7), size: 1, root };
  const signed = replyStatement(membership, statement);
  return buildReply({
    membership,
    statement,
    reply: {
      executed: { client, timestamp: 1, requestDigest, operationDigest, result: bytes, index: 0 },
      resultDigest,
      path: () => [],
    },
    signatures: [0, 1].map((replica) => ({
      replica,
      signature: sign(testCluster(4).identities[replica]!.privateKey, signed).toString('base64'),
    })),
  });
}

describe('the client over HTTP', () => {
  let server: Server;
  let client: QuorateClient;
  let url: string;
  /** Answers in their order; the last one stays. */
  let answers: ((request: IncomingMessage, response: ServerResponse, body: string) => void)[];
  let asked: { readonly headers: IncomingMessage['headers']; readonly path: string | undefined }[];

  const json =
    (status: number, body: unknown, headers: Record<string, string> = {}) =>
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(status, headers).end(JSON.stringify(body));
    };
  const problem = (status: number, code: string, more: object = {}) => json(status, { code, detail: code, ...more });
  const honest = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const { operation } = JSON.parse(body) as { operation: Json };
    response.end(JSON.stringify(genuineReply(operation, String(request.headers['idempotency-key']))));
  };

  beforeEach(async () => {
    asked = [];
    answers = [honest];
    server = createServer((request, response) => {
      asked.push({ headers: request.headers, path: request.url });
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = await connect({ url, membership: document, apiKey: 'secret', deadlineMs: 10_000 });
  });

  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });

  it('sends the same key again after passing trouble, and says who asks', async () => {
    answers = [
      (request) => request.socket.destroy(),
      problem(503, 'bus-unavailable'),
      problem(504, 'no-quorum'),
      json(502, {}),
      honest,
    ];
    expect((await client.submit({ op: 'a' })).result).toEqual({ ok: true });
    expect(asked).toHaveLength(5);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(asked[0]!.headers.authorization).toBe('Bearer secret');
  });

  it('takes replies under a key of its own where the gateway knows it by name, and nowhere else', async () => {
    answers = [
      (request, response, body) => {
        const { operation } = JSON.parse(body) as { operation: Json };
        const key = keyOfOwner('billing', String(request.headers['idempotency-key']));
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(genuineReply(operation, key)));
      },
    ];
    const named = await connect({ url, membership: document, client: 'billing' });
    expect((await named.submit({ op: 'a' })).result).toEqual({ ok: true });
    await named.close();
    await expect(client.submit({ op: 'a' })).rejects.toMatchObject({ code: 'invalid-receipt' });
  });

  it('throws at once what sending again would not change, with the members of the problem', async () => {
    answers = [problem(409, 'idempotency-conflict', { instance: 'i' })];
    const error = { code: 'idempotency-conflict', details: { status: 409, instance: 'i' } };
    await expect(client.submit({ op: 'a' }, { idempotencyKey: 'k' })).rejects.toMatchObject(error);
    expect(asked).toHaveLength(1);
  });

  it('gives up where waiting as long as it is told to would take longer than its deadline', async () => {
    answers = [json(429, { code: 'overloaded', detail: 'later' }, { 'retry-after': '3600' })];
    await expect(client.submit({ op: 'a' })).rejects.toMatchObject({ code: 'overloaded' });
    expect(asked).toHaveLength(1);
  });

  it('gives up at its deadline and when it is told to', async () => {
    answers = [() => undefined];
    await expect(client.submit({ op: 'a' }, { deadlineMs: 50 })).rejects.toMatchObject({ code: 'no-quorum' });
    const abort = new AbortController();
    const call = client.submit({ op: 'a' }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    const closed = client.submit({ op: 'a' });
    await client.close();
    await expect(closed).rejects.toMatchObject({ code: 'shutting-down' });
    await expect(client.status()).rejects.toMatchObject({ code: 'shutting-down' });
  });

  it.each<[string, (reply: Reply) => unknown, string]>([
    ['another result', (reply) => ({ ...reply, result: { ok: false } }), 'wrong-result-digest'],
    [
      'too few signatures',
      (reply) => ({ ...reply, receipt: { ...reply.receipt, signatures: [] } }),
      'too-few-signatures',
    ],
    ['the reply to another operation', () => genuineReply({ op: 'b' }, 'k'), 'other-request'],
    ['the reply to another key', () => genuineReply({ op: 'a' }, 'other'), 'other-request'],
    ['a receipt without its result', (reply) => reply.receipt, 'other-request'],
    ['no reply', () => 'hello', 'malformed'],
  ])('refuses %s', async (_, forge, fault) => {
    answers = [json(200, forge(genuineReply({ op: 'a' }, 'k')))];
    const forged = client.submit({ op: 'a' }, { idempotencyKey: 'k' });
    await expect(forged).rejects.toMatchObject({ code: 'invalid-receipt', details: { fault } });
  });

  it('reads keys, and tells what is not there from a path that is not', async () => {
    const basis = { sequence: 3, consistency: 'linearizable', replicas: ['replica-1'] };
    answers = [
      json(200, { key: 'a/b', value: null, ...basis }),
      problem(404, 'not-found', basis),
      problem(404, 'not-found'),
    ];
    expect(await client.query('a/b')).toEqual({ value: null, ...basis });
    expect(asked[0]!.path).toBe('/v1/kv/a%2Fb?consistency=linearizable');
    expect(await client.query('a')).toEqual({ value: undefined, ...basis });
    await expect(client.query('a')).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each(['', '.', '..', '\ud800'])('refuses the key %j, which no URL can name', async (key) => {
    await expect(client.query(key)).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(client.prove(key)).rejects.toMatchObject({ code: 'invalid-request' });
    expect(asked).toEqual([]);
  });

  it('refuses what it cannot send', async () => {
    await expect(client.submit({ op: '\ud800' })).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(client.submit({}, { idempotencyKey: 'ä' })).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(client.submit({}, { deadlineMs: 0 })).rejects.toMatchObject({ code: 'invalid-setting' });
    await expect(connect({ url: 'ftp://x', membership: document })).rejects.toMatchObject({ code: 'invalid-setting' });
    expect(asked).toEqual([]);
  });

  it('asks for the membership when only its digest is pinned, and believes no other', async () => {
    answers = [json(200, document)];
    const { digest: genesis } = document.genesis;
    expect((await connect({ url, genesis })).membership).toEqual(document);
    await expect(connect({ url, genesis: 'ab' })).rejects.toMatchObject({ code: 'invalid-membership' });
    expect((await connect({ url, trustGateway: true })).membership).toEqual(document);
  });

  describe('with batches that a cluster has agreed on', () => {
    let follower: QuorateClient;
    let batches: readonly AgreedBatch[];

    const event = (data: object, id: number): string =>
      `event: committed\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
    const committed = (id: number): string => event(batches[id]!, id);
    const stream = (text: string) => (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(text, () => response.socket?.destroySoon());
    };
    const follow = async (after = 2): Promise<{ seen: ClusterEvent[]; error: unknown }> => {
      const seen: ClusterEvent[] = [];
      try {
        for await (const one of follower.events({ after })) seen.push(one);
        return { seen, error: undefined };
      } catch (error) {
        return { seen, error };
      }
    };

    beforeAll(async () => {
      const cluster = await ScriptedCluster.start({ realSignatures: true });
      for (let turn = 0; turn < 5; turn++) await cluster.submit({ op: 'increment', key: 'n' });
      const bus = cluster.cluster.gateways[0]!.client;
      const places = [1, 2, 3, 4, 5];
      const found = places.map((place) => cluster.outcome(bus.agreedBatch(place)));
      batches = [undefined, ...(await Promise.all(found))] as AgreedBatch[];
      agreedBy = bus.membership();
    });

    let agreedBy: ReturnType<typeof membershipDocument>;

    beforeEach(async () => {
      follower = await connect({ url, membership: agreedBy, deadlineMs: 10_000 });
    });

    afterEach(() => follower.close());

    it('follows events over broken connections, each batch once', async () => {
      const cut = committed(4).slice(0, -5);
      answers = [
        stream(committed(3) + cut),
        problem(503, 'bus-unavailable'),
        stream(committed(3) + committed(4)),
        problem(410, 'log-collected', { availableFrom: 9 }),
      ];
      const { seen, error } = await follow();
      expect(error).toMatchObject({ code: 'log-collected', details: { availableFrom: 9 } });
      expect(seen).toEqual([3, 4].map((id) => ({ type: 'committed', id, data: batches[id] })));
      expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual(['2', '3', '3', '4']);
    });

    it.each<[string, () => object]>([
      ['another time', () => ({ ...batches[4]!, time: 1 })],
      ['another operation', () => ({ ...batches[4]!, requests: batches[5]!.requests })],
      ['the batch of another place', () => ({ ...batches[5]!, sequence: 4 })],
      ['too few commits', () => ({ ...batches[4]!, certificate: batches[4]!.certificate.slice(0, 2) })],
      ['one commit three times', () => ({ ...batches[4]!, certificate: Array(3).fill(batches[4]!.certificate[0]) })],
      ['the commits of another batch', () => ({ ...batches[4]!, certificate: batches[5]!.certificate })],
      ['a member more', () => ({ ...batches[4]!, more: 1 })],
      ['nothing of it', () => ({ sequence: 4 })],
    ])('believes no gateway that shows %s', async (_, claim) => {
      answers = [stream(committed(3) + event(claim(), 4))];
      const { seen, error } = await follow();
      expect(seen.map(({ id }) => id)).toEqual([3]);
      expect(error).toMatchObject({ code: 'invalid-certificate', details: { sequence: 4 } });
    });

    it('believes no gateway that leaves something out, or names no place', async () => {
      answers = [stream(committed(3) + committed(5))];
      expect((await follow()).error).toMatchObject({ code: 'invalid-certificate', details: { sequence: 4 } });
      answers = [stream(committed(3).replace('id: 3\n', ''))];
      expect((await follow()).error).toMatchObject({ code: 'invalid-certificate' });
    });

    it('believes no other cluster', async () => {
      answers = [stream(committed(3))];
      const other = await connect({ url, membership: document });
      await expect(other.events({ after: 2 }).next()).rejects.toMatchObject({ code: 'invalid-certificate' });
      await other.close();
    });
  });

  it('ends a feed when it is told to', async () => {
    answers = [(_, response) => response.writeHead(200).write('event: checkpoint\ndata: {}\n\n')];
    const abort = new AbortController();
    for await (const event of client.events({ signal: abort.signal })) {
      expect(event).toEqual({ type: 'checkpoint', id: undefined, data: {} });
      abort.abort();
    }
  });
});
