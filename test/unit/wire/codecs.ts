import fc from 'fast-check';
import { sha256 } from '../../../src/crypto/digest.js';
import { signatureBytes } from '../../../src/crypto/ed25519.js';
import { signedKinds } from '../../../src/crypto/genesis.js';
import type { BatchReplies, Executed } from '../../../src/pbft/effects.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import { decodeBundleBody, digestOfRequest, encodeBundleBody } from '../../../src/wire/bundle.js';
import { Malformed, Reader, Writer } from '../../../src/wire/bytes.js';
import { nameBytesMax, readCredential, writeCredential, type Credential } from '../../../src/wire/credential.js';
import { decodeFrame, encodeFrame, gatewaySigner, joinPacket, splitPacket } from '../../../src/wire/frame.js';
import { isVote, voteSignatureBytes, type Kind } from '../../../src/wire/kinds.js';
import { decodeBatch, decodePhaseBody, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import { proveReplies } from '../../../src/wire/reply.js';
import {
  decodeCertificate,
  decodeDecided,
  decodeFetch,
  decodeQuery,
  decodeQueryReply,
  decodeStatus,
  encodeCertificate,
  encodeDecided,
  encodeFetch,
  encodeQuery,
  encodeQueryReply,
  encodeStatus,
  fetchCountMax,
} from '../../../src/wire/service.js';
import {
  decodeFetchState,
  decodeStateAnswer,
  decodeStateChunk,
  encodeFetchState,
  encodeStateAnswer,
  encodeStateChunk,
  type StateAnswer,
  type StateQuestion,
} from '../../../src/wire/state-transfer.js';
import {
  decodeCheckpoint,
  decodeFetchBatch,
  decodeNewView,
  decodeViewChange,
  encodeCheckpoint,
  encodeFetchBatch,
  encodeNewView,
  encodeViewChange,
} from '../../../src/wire/views.js';

/** One encoding: what there is to say, and how it is said. `decode` throws `Malformed` for bytes that say nothing. */
export interface Codec<T = unknown> {
  readonly name: string;
  readonly arbitrary: fc.Arbitrary<T>;
  encode(value: T): Buffer;
  decode(bytes: Buffer): T;
  /** It has no length of its own: cut off between two of its parts it is one again, with fewer of them. */
  readonly isOpenEnded: boolean;
}

function codec<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Buffer,
  decode: (bytes: Buffer) => T,
  isOpenEnded = false,
): Codec {
  return { name, arbitrary, encode: encode, decode, isOpenEnded };
}

export const genesisDigest = Buffer.alloc(32, 0x5a);

const u16 = fc.integer({ min: 0, max: 0xffff });
const u64 = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
const bytes = (length: { min?: number; max: number }): fc.Arbitrary<Buffer> =>
  fc
    .uint8Array({ minLength: length.min ?? 0, maxLength: length.max })
    .map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength));
const fixed = (length: number) => bytes({ min: length, max: length });
const hexDigest = fixed(32).map((value) => digest(value.toString('hex')));
const textOf = (bytesMax: number) =>
  fc.string({ unit: 'grapheme', maxLength: bytesMax }).filter((value) => Buffer.byteLength(value) <= bytesMax);
const signed = fc.record({ signer: u16, signature: fixed(64) });
const signatures = fc.array(signed, { maxLength: 5 });
const signedVotes = fc.array(fc.record({ signer: u16, signature: fixed(voteSignatureBytes) }), { maxLength: 5 });

const credential: fc.Arbitrary<Credential> = fc.record({
  name: textOf(nameBytesMax),
  publicKey: fixed(32),
  enrolment: fixed(64),
});

const phaseBody = fc.record({
  view: u64.map(view),
  sequence: u64.filter((value) => value > 0).map(sequence),
  digest: hexDigest,
});

const requests = fc.array(fc.record({ client: textOf(80), timestamp: u64, operation: bytes({ max: 60 }) }), {
  minLength: 1,
  maxLength: 5,
});
const bundleBody = fc.record({ credential, lastSequence: u64.map(sequence), requests });

const kinds = (Object.keys(signedKinds) as (keyof typeof signedKinds)[]).filter((kind) => kind !== 'genesis');
const frame = fc.constantFrom<Kind>(...(kinds as Kind[])).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    epoch: u64,
    signer: u16,
    body: bytes({ max: 80 }),
    signature: fixed(isVote(kind) ? voteSignatureBytes : signatureBytes),
    attachment: bytes({ max: 40 }),
  }),
);

const status = fc.record({
  incarnation: fixed(8).map((value) => value.toString('hex')),
  rival: fixed(8).map((value) => value.toString('hex')),
  startedAt: u64,
  view: u64,
  lastExecuted: u64,
  stableCheckpoint: u64,
  stateDigest: fc.option(hexDigest, { nil: undefined }),
  isWhole: fc.boolean(),
  notVoting: textOf(100),
  heard: fc.array(
    fixed(8).map((value) => value.toString('hex')),
    { maxLength: 64 },
  ),
  refused: fc.array(fc.tuple(textOf(64), u64), { maxLength: 5 }),
});

const u8 = fc.integer({ min: 0, max: 0xff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const stateQuestion: fc.Arbitrary<StateQuestion> = fc.oneof(
  fc.record({ ask: fc.constant('head') }),
  fc.record({ ask: fc.constant('nodes'), part: u8, nodes: fc.array(u32, { minLength: 1, maxLength: 5 }) }),
  fc.record({
    ask: fc.constant('buckets'),
    part: u8,
    from: fc.array(fc.record({ bucket: u32, offset: u32 }), { minLength: 1, maxLength: 5 }),
  }),
);
const hashes = fc.array(fixed(32), { maxLength: 3 }).map((list) => Buffer.concat(list));
const stateAnswer: fc.Arbitrary<StateAnswer> = fc.oneof(
  fc.record({ ask: fc.constant('gone') }),
  fc.record({ ask: fc.constant('head'), time: u64, roots: fc.array(fixed(32), { maxLength: 3 }) }),
  fc.record({ ask: fc.constant('nodes'), below: fc.array(fixed(4096), { maxLength: 2 }) }),
  fc.record({
    ask: fc.constant('buckets'),
    pages: fc.array(fc.record({ hashes, items: fc.array(bytes({ max: 30 }), { maxLength: 3 }) }), { maxLength: 3 }),
  }),
);
/** What every chunk of these tests carries. */
const chunkAttachment = Buffer.from('attachment');

/** The replies of an executed batch, all of them for one gateway. */
export const executedBatch = fc
  .record({
    view: u64.map(view),
    sequence: u64.map(sequence),
    requests: fc.array(fc.tuple(textOf(80), u64, bytes({ max: 40 }), bytes({ max: 40 })), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  .map(({ requests: executed, ...place }) => {
    const items = executed.map(([client, timestamp, operation, result], index): Executed => {
      const operationDigest = sha256(operation);
      const requestDigest = digestOfRequest(client, timestamp, operationDigest);
      return { client, timestamp, operationDigest, requestDigest, result, index };
    });
    const leaves = items.map(({ requestDigest, result }) => ({ requestDigest, resultDigest: sha256(result) }));
    const statement = { ...place, size: leaves.length, root: proveReplies(leaves).root };
    const replies: BatchReplies = { statement, leaves };
    return { replies, items };
  });

/** A decoder that answers with a reason, as one that throws. */
function thrown<T>(result: T | string): T {
  if (typeof result === 'string') throw new Malformed(result);
  return result;
}

/** Every encoding of messages and of their parts. */
export const codecs: readonly Codec[] = [
  codec(
    'frame',
    frame,
    (value) => encodeFrame({ ...value, genesisDigest }),
    (raw) => {
      const { bytes: _raw, ...rest } = thrown(decodeFrame(raw, genesisDigest));
      return rest;
    },
  ),
  codec(
    'packet',
    fc.array(bytes({ max: 40 }), { minLength: 1, maxLength: 5 }),
    joinPacket,
    (raw) => thrown(splitPacket(raw)),
    true,
  ),
  codec('phase', phaseBody, encodePhaseBody, (raw) => {
    const { view: v, sequence: s, digest: d } = decodePhaseBody('prepare', 0, raw);
    return { view: v, sequence: s, digest: d };
  }),
  codec(
    'batch',
    fc.record({ view: u64.map(view), time: u64, frames: fc.array(bytes({ max: 60 }), { maxLength: 5 }) }),
    (value) => encodeBatch(value.view, value.time, value.frames),
    (raw) => {
      const frames: Buffer[] = [];
      const bundleOf = (bundle: Buffer) => {
        frames.push(bundle);
        return { gateway: '', lastSequence: sequence(0), requests: [], digest: sha256(bundle), size: bundle.length };
      };
      const batch = thrown(decodeBatch<string>(raw, bundleOf));
      return { view: batch.view, time: batch.time, frames };
    },
  ),
  codec(
    'credential',
    credential,
    (value) => writeCredential(new Writer(), value).done(),
    (raw) => {
      const reader = new Reader(raw);
      const value = readCredential(reader);
      reader.end();
      return value;
    },
  ),
  codec(
    'bundle',
    bundleBody,
    (value) => encodeBundleBody(value.credential, value.lastSequence, value.requests),
    (raw) => {
      const decoded = decodeBundleBody(raw, raw.length);
      const { lastSequence, requests: found } = decoded.bundle;
      const plain = found.map(({ client, timestamp, operation }) => ({ client, timestamp, operation }));
      return {
        credential: decoded.credential,
        lastSequence,
        requests: plain as { client: string; timestamp: number; operation: Buffer }[],
      };
    },
  ),
  codec('status', status, encodeStatus, decodeStatus),
  codec(
    'fetch of a replica',
    fc.record({ target: u16, from: u64.filter((from) => from > 0), count: fc.integer({ min: 1, max: fetchCountMax }) }),
    (value) => encodeFetch(value),
    (raw) => {
      const { target, from, count } = decodeFetch(0, raw);
      return { target, from, count };
    },
  ),
  codec(
    'fetch of a gateway',
    fc.record({
      credential,
      target: u16,
      from: u64.filter((from) => from > 0),
      count: fc.integer({ min: 1, max: fetchCountMax }),
    }),
    (value) => encodeFetch(value, value.credential),
    (raw) => {
      const { credential: found, ...rest } = decodeFetch(gatewaySigner, raw);
      return { ...rest, credential: found! };
    },
  ),
  codec('decided', fc.record({ sequence: u64, lastExecuted: u64 }), encodeDecided, decodeDecided),
  codec(
    'certificate',
    fc.record({ batch: bytes({ max: 60 }), commitFrames: fc.array(bytes({ max: 60 }), { maxLength: 5 }) }),
    (value) => encodeCertificate(value.batch, value.commitFrames),
    decodeCertificate,
  ),
  codec('query', fc.record({ credential, nonce: u64, query: bytes({ max: 60 }) }), encodeQuery, decodeQuery),
  codec(
    'query reply',
    fc.record({
      nonce: u64,
      question: hexDigest,
      lastExecuted: u64,
      lastPrepared: u64,
      value: fc.option(bytes({ max: 60 }), { nil: undefined }),
    }),
    encodeQueryReply,
    decodeQueryReply,
  ),
  codec(
    'checkpoint',
    fc.record({ sequence: u64.map(sequence), digest: hexDigest }),
    encodeCheckpoint,
    decodeCheckpoint,
  ),
  codec(
    'fetch of a batch',
    fc.record({ target: u16, sequence: u64.map(sequence), digest: hexDigest }),
    encodeFetchBatch,
    decodeFetchBatch,
  ),
  codec(
    'fetch of a state',
    fc.record({ target: u16, nonce: u64, sequence: u64, digest: hexDigest, question: stateQuestion }),
    encodeFetchState,
    decodeFetchState,
  ),
  codec(
    'state chunk',
    fc.record({ target: u16, nonce: u64, attachment: fc.constant(sha256(chunkAttachment)) }),
    encodeStateChunk,
    (raw) => decodeStateChunk(raw, chunkAttachment),
  ),
  codec('answer about a state', stateAnswer, encodeStateAnswer, decodeStateAnswer),
  codec(
    'view change',
    fc.record({
      view: u64.filter((value) => value > 0).map(view),
      stable: fc.record({ sequence: u64.map(sequence), digest: hexDigest, signatures }),
      prepared: fc.array(
        fc.record({
          view: u64.map(view),
          sequence: u64.map(sequence),
          digest: hexDigest,
          prePrepare: fixed(voteSignatureBytes),
          prepares: signedVotes,
        }),
        { maxLength: 3 },
      ),
    }),
    encodeViewChange,
    decodeViewChange,
  ),
  codec(
    'new view',
    fc.record({
      view: u64.map(view),
      viewChangeFrames: fc.array(bytes({ max: 60 }), { maxLength: 4 }),
      prePrepares: fc.array(
        fc.record({ sequence: u64.map(sequence), digest: hexDigest, signature: fixed(voteSignatureBytes) }),
        { maxLength: 3 },
      ),
    }),
    encodeNewView,
    decodeNewView,
  ),
];
