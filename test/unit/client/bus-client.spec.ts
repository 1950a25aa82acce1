import { beforeEach, describe, expect, it } from '@jest/globals';
import { BusClient } from '../../../src/client/bus-client.js';
import { sha256 } from '../../../src/crypto/digest.js';
import type { Reply } from '../../../src/crypto/receipt.js';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import { verifyReceipt } from '../../../src/crypto/verify-receipt.js';
import { limits } from '../../../src/pbft/configuration.js';
import type { Executed, ReplyStatement } from '../../../src/pbft/effects.js';
import type { Request } from '../../../src/pbft/messages.js';
import { sequence, view } from '../../../src/pbft/types.js';
import { decodeBundleBody } from '../../../src/wire/bundle.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, encodeFrame, joinPacket, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { canonicalJsonBytes } from '../../../src/wire/json.js';
import { packets } from '../../../src/wire/packets.js';
import { encodeReplyAttachments, encodeReplyBody, proveReplies } from '../../../src/wire/reply.js';
import { settled } from '../../support/cluster-waiting.js';
import { identityNamed, testCluster, testMembership } from '../crypto/support.js';

const { identities } = testCluster(4);
const membership = testMembership(4);
const key = identityNamed('gateway-1');
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const sealers = identities.map((identity, index) => new Sealer(context, new Ed25519Signer(identity), index));

/** A client, what it has sent, and a clock that stands. */
class Bench {
  now = 0;
  private timestamp = 0;
  private sequence = 0;
  private due: (() => void)[] = [];
  /** The requests that it has sent since they were last executed. */
  private sent: Request[] = [];

  readonly client = new BusClient({
    membership,
    credential: { name: 'gateway-1', publicKey: key.rawPublicKey, enrolment: Buffer.alloc(64) },
    signer: new Ed25519Signer(key),
    verifier: new Ed25519Verifier(membership),
    publisher: {
      connected: true,
      publish: (publications) => {
        for (const { payload } of publications) {
          for (const bytes of splitPacket(Buffer.from(payload)) as Buffer[]) {
            const { body } = decodeFrame(bytes, membership.digest) as Frame;
            this.sent.push(...decodeBundleBody(body, bytes.length).bundle.requests);
          }
        }
      },
      close: () => Promise.resolve(),
    },
    timestamps: { next: () => ++this.timestamp },
    deadlineMs: 1_000,
    inFlightMax: 100,
    now: () => this.now,
    defer: (run) => this.due.push(run),
  });

  constructor() {
    this.client.attach({ connected: true, close: () => Promise.resolve() });
  }

  get sentCount(): number {
    return this.sent.length;
  }

  /** Executes what was sent as one batch. @returns the replies of each replica, as it publishes them */
  execute(resultOf: (index: number) => string = () => '{"ok":true}'): Buffer[] {
    for (const run of this.due.splice(0)) run();
    const items = this.sent.splice(0).map((request, index): Executed => {
      const { client, timestamp, operationDigest, digest: requestDigest } = request;
      return { client, timestamp, operationDigest, requestDigest, result: Buffer.from(resultOf(index)), index };
    });
    const leaves = items.map(({ requestDigest, result }) => ({ requestDigest, resultDigest: sha256(result) }));
    const place = { view: view(0), sequence: sequence(++this.sequence) };
    const statement: ReplyStatement = { ...place, size: leaves.length, root: proveReplies(leaves).root };
    const body = encodeReplyBody(statement);
    return sealers.map((sealer) => {
      const frames = encodeReplyAttachments({ statement, leaves }, items).map((attachment) => {
        return sealer.seal('reply', body, attachment);
      });
      return Buffer.from(packets('reply:gateway-1', frames)[0]!.payload);
    });
  }

  deliver(...payloads: (Buffer | undefined)[]): void {
    for (const payload of payloads) this.client.onPayload('reply:gateway-1', payload!);
  }
}

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

const put = (index: number) => ({ op: 'put', key: `key-${index}`, value: index });

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const answer = promise.catch((error: unknown) => (error as { code: string }).code);
  return await Promise.race([answer, settled().then(() => 'none yet')]);
}

describe('a long turn of the event loop', () => {
  it('is not left to end before the bus is looked at, and what was submitted in it is sent', () => {
    let looks = 0;
    bench.client.attach({ connected: true, close: () => Promise.resolve(), lookIn: () => looks++ });
    bench.client.attend();
    void bench.client.submit(put(1));
    bench.now += 14;
    bench.client.attend();
    expect([looks, bench.sentCount]).toEqual([0, 0]);
    bench.now += 1;
    bench.client.attend();
    expect([looks, bench.sentCount]).toEqual([1, 1]);
    bench.client.attend();
    expect(looks).toBe(1);
  });

  it('has no look at the bus from what the bus brings', async () => {
    let looks = 0;
    bench.client.attach({ connected: true, close: () => Promise.resolve(), lookIn: () => looks++ });
    const asked = bench.client.submit(put(1));
    const replies = bench.execute();
    void bench.client.submit(put(2)); // gathers until the first is answered
    bench.now += 15;
    bench.deliver(...replies);
    expect(await outcome(asked)).toMatchObject({ result: { ok: true } });
    expect([looks, bench.sentCount]).toEqual([0, 1]);
  });
});

describe('the replies to a batch', () => {
  it.each([[[0, 1]], [[3, 2]], [[1, 1, 1, 3, 0, 2]]])(
    'are receipts that stand alone, whoever of %j replies first',
    async (order) => {
      const asked = Array.from({ length: 5 }, (_, index) => bench.client.submit(put(index)));
      const said = bench.execute((index) => `{"index":${index % 2}}`);
      bench.deliver(...order.map((replica) => said[replica]));
      const replies = await Promise.all(asked);
      const names = [...new Set(order)].slice(0, 2).sort((a, b) => a - b);
      for (const [index, reply] of replies.entries()) {
        const { id, client, timestamp, receipt } = reply;
        expect(reply).toMatchObject({ client: 'gateway-1', timestamp: index + 1, view: 0, sequence: 1 });
        expect(reply.result).toEqual({ index: index % 2 });
        expect(receipt).toMatchObject({ client, timestamp, requestDigest: id, proof: { index, size: 5 } });
        expect(receipt.signatures.map(({ replica }) => replica)).toEqual(names.map((each) => `replica-${each + 1}`));
        expect(receipt.operationDigest).toBe(sha256(canonicalJsonBytes(put(index))));
        expect(verifyReceipt(reply, membership).valid).toBe(true);
      }
      expect(bench.client.inFlight).toBe(0);
    },
  );

  it('share nothing that somebody could change', async () => {
    const asked = [bench.client.submit(put(1)), bench.client.submit(put(2))];
    bench.deliver(...bench.execute());
    const [one, other] = (await Promise.all(asked)) as [Reply, Reply];
    expect(one.result).toEqual(other.result);
    expect(one.result).not.toBe(other.result);
    expect(one.receipt.signatures).toEqual(other.receipt.signatures);
    expect(one.receipt.signatures).not.toBe(other.receipt.signatures);
    expect(one.receipt.signatures[0]).not.toBe(other.receipt.signatures[0]);
  });

  it('count only with f+1 replicas that say the same', async () => {
    const asked = bench.client.submit(put(1));
    const said = bench.execute();
    bench.deliver(said[2], said[2], forged(said[1]!));
    expect(await outcome(asked)).toBe('none yet');
    bench.deliver(said[1]);
    expect(await outcome(asked)).toMatchObject({
      receipt: { signatures: [{ replica: 'replica-2' }, { replica: 'replica-3' }] },
    });
  });

  it('count for what is waited for when they come, and not for others', async () => {
    const [one, other] = [bench.client.submit(put(1)), bench.client.submit(put(2), { deadlineMs: 10 })];
    const said = bench.execute();
    bench.deliver(said[0]);
    bench.now = 10;
    bench.client.tick();
    expect(await outcome(other)).toBe('no-quorum');
    bench.deliver(said[1]);
    expect(await outcome(one)).toMatchObject({ result: { ok: true } });
    expect(bench.client.inFlight).toBe(0);
  });

  it('to a request with a key are counted again when it is submitted again', async () => {
    const submit = () => outcome(bench.client.submit(put(1), { idempotencyKey: 'k', deadlineMs: 10 }));
    const first = submit();
    const said = bench.execute();
    bench.deliver(said[0]);
    bench.now = 10;
    bench.client.tick();
    expect(await first).toBe('no-quorum');
    const second = submit();
    bench.deliver(said[1], said[0]);
    const reply = await second;
    expect(reply).toMatchObject({ timestamp: 1, result: { ok: true } });
    expect(await submit()).toBe(reply); // from what the client remembers
  });

  it('to another operation under the same key are a conflict', async () => {
    const submit = (index: number) => outcome(bench.client.submit(put(index), { idempotencyKey: 'k' }));
    const first = bench.client.submit(put(1), { idempotencyKey: 'k', deadlineMs: 10 });
    const said = bench.execute();
    bench.now = 10;
    bench.client.tick();
    expect(await outcome(first)).toBe('no-quorum');
    const second = submit(2);
    bench.deliver(said[0], said[1]);
    expect(await second).toBe('idempotency-conflict');
    const third = submit(1);
    bench.deliver(said[2], said[3]);
    expect(await third).toMatchObject({ result: { ok: true } });
    expect(await submit(2)).toBe('idempotency-conflict');
  });
});

describe('a submission to the client', () => {
  it.each([
    ['too large an operation', { op: 'x'.repeat(limits.operationBytesMax) }, {}, 'request-too-large'],
    ['a key of no characters', {}, { idempotencyKey: '' }, 'invalid-request'],
    ['a key of too many', {}, { idempotencyKey: 'x'.repeat(257) }, 'invalid-request'],
  ])('that is %s is refused by the promise', async (_, operation, options, code) => {
    expect(await outcome(bench.client.submit(operation, options))).toBe(code);
    expect(bench.client.inFlight).toBe(0);
  });

  it('under a key that is in use gets the same reply, or is refused for another operation', async () => {
    const [one, same, other] = [1, 1, 2].map((index) => bench.client.submit(put(index), { idempotencyKey: 'k' }));
    expect(await outcome(other!)).toBe('idempotency-conflict');
    bench.deliver(...bench.execute());
    expect(await same).toBe(await one);
  });

  it('is one too many when as many wait as may', async () => {
    for (let index = 0; index < 100; index++) void bench.client.submit(put(index));
    expect(await outcome(bench.client.submit(put(100)))).toBe('overloaded');
    bench.deliver(...bench.execute());
    expect(bench.client.inFlight).toBe(0);
  });

  it('ends before the client is closed', async () => {
    const asked = bench.client.submit(put(1));
    const closed = bench.client.close().then(() => 'closed');
    expect(await outcome(closed)).toBe('none yet');
    expect(await outcome(bench.client.submit(put(2)))).toBe('shutting-down');
    bench.deliver(...bench.execute());
    expect(await outcome(asked)).toMatchObject({ result: { ok: true } });
    expect(await outcome(closed)).toBe('closed');
  });
});

/** The same frame with another signature. */
function forged(payload: Buffer): Buffer {
  const frame = decodeFrame((splitPacket(payload) as Buffer[])[0]!, membership.digest) as Frame;
  const signature = Buffer.from(frame.signature).fill(1, 40, 41);
  return Buffer.from(joinPacket([encodeFrame({ ...frame, signature, genesisDigest: membership.digest })]));
}
