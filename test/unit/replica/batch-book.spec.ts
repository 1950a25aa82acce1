import { beforeEach, describe, expect, it } from '@jest/globals';
import { limits } from '../../../src/pbft/configuration.js';
import type { Batch, PrePrepare } from '../../../src/pbft/messages.js';
import { digest, replicaIndex, sequence, view } from '../../../src/pbft/types.js';
import { BatchBook } from '../../../src/replica/batch-book.js';
import { encodeBundleBody } from '../../../src/wire/bundle.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import { MessageBook } from '../../../src/replica/message-book.js';
import { decodeFrame, gatewaySigner, type Frame } from '../../../src/wire/frame.js';
import { digestOfBatchBytes, encodeBatch } from '../../../src/wire/phase.js';

const context = { genesisDigest: Buffer.alloc(32, 7), epoch: 0, n: 4 };
const credential = { name: 'gateway-1', publicKey: Buffer.alloc(32, 1), enrolment: Buffer.alloc(64, 2) };
/** A signature is the last bytes of what was signed: enough to tell one bundle from another. */
const sign = (message: Buffer): Buffer => Buffer.alloc(64, message.subarray(-32));
const sealer = new Sealer(context, { sign, openingOf: sign }, gatewaySigner);

describe('what comes with a PRE-PREPARE', () => {
  let verified: number;
  let book: BatchBook;
  const frames = [1, 2].map((timestamp) => {
    const requests = [{ client: 'gateway-1', timestamp, operation: Buffer.from('{}') }];
    return sealer.seal('request', encodeBundleBody(credential, 10, requests));
  });
  const [one, two] = frames as [Buffer, Buffer];
  const nameOf = (frame: Buffer): Buffer => frame.subarray(-68, -4); // an empty attachment follows
  const whole = encodeBatch(view(0), 5, frames);
  const agreed = digestOfBatchBytes(whole);

  beforeEach(() => {
    verified = 0;
    const verifier = {
      verifyReplica: () => false,
      verifyGateway: (_: unknown, message: Buffer, signature: Buffer) => {
        verified++;
        return signature.equals(sign(message));
      },
    };
    book = new BatchBook({ opener: new Opener(context, verifier), decodeOperation: (operation) => operation });
  });

  const hear = (...heard: Buffer[]) => {
    for (const frame of heard) expect(typeof book.bundle(frame)).toBe('object');
  };

  it('names bundles that were heard, and verifies none again', () => {
    hear(one, two);
    const batch = book.proposed(encodeBatch(view(0), 5, frames.map(nameOf)), agreed);
    expect(batch).toEqual({ view: 0, time: 5, digest: agreed, bundles: [book.bundle(one), book.bundle(two)] });
    expect(verified).toBe(2);
  });

  it('is what a primary says of a batch, and far smaller', () => {
    hear(one, two);
    const batch = book.proposed(whole, agreed);
    if (batch === undefined || typeof batch === 'string') throw new Error('no batch');
    expect(book.encode(batch)).toEqual(whole);
    expect(book.encodeNames(batch)).toEqual(encodeBatch(view(0), 5, frames.map(nameOf)));
  });

  it('lacks a bundle that was not heard', () => {
    hear(one);
    expect(book.proposed(encodeBatch(view(0), 5, frames.map(nameOf)), agreed)).toBeUndefined();
  });

  it('may hold bundles themselves, in whole or in part', () => {
    hear(one);
    expect(book.proposed(encodeBatch(view(0), 5, [nameOf(one), two]), agreed)).toMatchObject({ digest: agreed });
    expect(verified).toBe(2);
  });

  it.each([
    { what: 'another time', bytes: () => encodeBatch(view(0), 6, frames.map(nameOf)) },
    { what: 'another view', bytes: () => encodeBatch(view(1), 5, frames.map(nameOf)) },
    { what: 'another order', bytes: () => encodeBatch(view(0), 5, [nameOf(two), nameOf(one)]) },
    { what: 'less', bytes: () => encodeBatch(view(0), 5, [nameOf(one)]) },
  ])('is refused with $what than the primary has signed for', ({ bytes }) => {
    hear(one, two);
    expect(book.proposed(bytes(), agreed)).toBe('digest-mismatch');
  });

  it('has no bundle verified that the primary has not signed for', () => {
    expect(book.proposed(whole, digest('0'.repeat(64)))).toBe('digest-mismatch');
    expect(verified).toBe(0);
  });

  it('is refused with a bundle that its gateway has not signed', () => {
    const forged = Buffer.from(one);
    forged[forged.length - 10]! ^= 1;
    const bytes = encodeBatch(view(0), 5, [forged]);
    expect(book.proposed(bytes, digestOfBatchBytes(bytes))).toBe('bad-signature');
  });

  it('is not put together where that takes more bytes than a batch may have: a name may stand there many times', () => {
    const requests = [{ client: 'gateway-1', timestamp: 3, operation: Buffer.alloc(limits.operationBytesMax) }];
    const large = sealer.seal('request', encodeBundleBody(credential, 10, requests));
    hear(large);
    const times = Math.ceil(limits.batchBytesMax / large.length);
    const proposalOf = (count: number) => encodeBatch(view(0), 5, Array<Buffer>(count).fill(nameOf(large)));
    expect(book.proposed(proposalOf(times), agreed)).toBe('batch-too-large');
    expect(book.proposed(proposalOf(times - 1), agreed)).toBe('digest-mismatch');
  });

  it('names no bundle that is larger than what a batch is read with', () => {
    const operation = Buffer.alloc(limits.operationBytesMax);
    const sized = (rest: number) => {
      const operations = [...Array<Buffer>(7).fill(operation), operation.subarray(rest)];
      const requests = operations.map((bytes, index) => ({ client: 'gateway-1', timestamp: index, operation: bytes }));
      return sealer.seal('request', encodeBundleBody(credential, 10, requests));
    };
    const surplus = sized(0).length - limits.bundleBytesMax;
    expect(surplus).toBeGreaterThan(0);
    hear(sized(surplus));
    expect(book.bundle(sized(surplus - 1))).toBe('oversized-frame');
  });

  it('is logged with the batch once that has come, though it was logged without it just before', () => {
    hear(one, two);
    const [self, opener] = [0, new Opener(context, { verifyReplica: () => true, verifyGateway: () => true })];
    const messages = new MessageBook({
      self,
      n: 4,
      opener,
      sealer: new Sealer(context, { sign, openingOf: sign }, self),
      batches: book,
    });
    const about = { view: view(0), sequence: sequence(1), digest: agreed, replica: replicaIndex(self) };
    const prePrepare: PrePrepare = { kind: 'pre-prepare', ...about, batch: undefined };
    const attached = (): Buffer =>
      (decodeFrame(messages.frameOf(prePrepare), context.genesisDigest) as Frame).attachment;
    expect(attached()).toHaveLength(0);
    prePrepare.batch = book.proposed(whole, agreed) as Batch;
    expect(attached()).toEqual(whole);
  });

  it('is refused where it is cut off', () => {
    hear(one, two);
    const bytes = encodeBatch(view(0), 5, frames.map(nameOf));
    expect(book.proposed(bytes.subarray(0, -1), agreed)).toBe('malformed-frame');
  });
});
