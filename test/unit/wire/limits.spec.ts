import { describe, expect, it } from '@jest/globals';
import { signatureBytes } from '../../../src/crypto/ed25519.js';
import { voteSignatureBytes } from '../../../src/wire/kinds.js';
import { sha256 } from '../../../src/crypto/digest.js';
import { limits } from '../../../src/pbft/configuration.js';
import { replicasMax } from '../../../src/pbft/quorum.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import { decodeBundleBody, encodeBundleBody } from '../../../src/wire/bundle.js';
import { Malformed, Writer } from '../../../src/wire/bytes.js';
import {
  decodeFrame,
  encodeFrame,
  frameBytesMax,
  joinPacket,
  packetBytesMax,
  packetFramesMax,
  splitPacket,
} from '../../../src/wire/frame.js';
import { packets } from '../../../src/wire/packets.js';
import { decodeBatch, decodePhaseBody, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import * as service from '../../../src/wire/service.js';
import * as views from '../../../src/wire/views.js';
import { genesisDigest } from './codecs.js';

const credential = { name: 'gateway-1', publicKey: Buffer.alloc(32), enrolment: Buffer.alloc(64) };
const zeros = digest('0'.repeat(64));
const signature = Buffer.alloc(signatureBytes);
const voteSignature = Buffer.alloc(voteSignatureBytes);
const request = { client: 'gateway-1', timestamp: 1, operation: Buffer.from('{}') };

function bundleOf(requests: readonly (typeof request)[]): Buffer {
  return encodeBundleBody(credential, 1, requests);
}

function status(change: Partial<service.Status>): Buffer {
  const id = '00'.repeat(service.incarnationBytes);
  const numbers = { startedAt: 0, view: 0, lastExecuted: 0, stableCheckpoint: 0 };
  const base = {
    incarnation: id,
    rival: id,
    ...numbers,
    stateDigest: zeros,
    isWhole: true,
    notVoting: '',
    heard: [],
    refused: [],
  };
  return service.encodeStatus({ ...base, ...change });
}

function viewChange(change: Partial<views.ViewChangeBody>): Buffer {
  const stable = { sequence: sequence(0), digest: zeros, signatures: [] };
  return views.encodeViewChange({ view: view(1), stable, prepared: [], ...change });
}

const signatures = (count: number, of = signature) =>
  Array.from({ length: count }, (_, signer) => ({ signer, signature: of }));

/** The largest that is taken, the smallest that is not, and how it is read. */
const caps: [string, (step: 0 | 1) => Buffer, (bytes: Buffer) => unknown][] = [
  [
    'operations of a bundle',
    (step) => bundleOf(Array.from({ length: limits.bundleOperationsMax + step }, () => request)),
    (bytes) => decodeBundleBody(bytes, bytes.length),
  ],
  [
    'bytes of an operation',
    (step) => bundleOf([{ ...request, operation: Buffer.alloc(limits.operationBytesMax + step) }]),
    (bytes) => decodeBundleBody(bytes, bytes.length),
  ],
  [
    "bytes of a client's name",
    (step) => bundleOf([{ ...request, client: 'c'.repeat(80 + step) }]),
    (bytes) => decodeBundleBody(bytes, bytes.length),
  ],
  [
    "bytes of a gateway's name",
    (step) => encodeBundleBody({ ...credential, name: 'g'.repeat(32 + step) }, 1, [request]),
    (bytes) => decodeBundleBody(bytes, bytes.length),
  ],
  [
    'requests, of which a bundle has one at least',
    (step) => bundleOf(step === 0 ? [request] : []),
    (bytes) => decodeBundleBody(bytes, bytes.length),
  ],
  [
    'bundles of a batch',
    (step) =>
      encodeBatch(
        view(0),
        1,
        Array.from({ length: limits.batchOperationsMax + step }, () => Buffer.alloc(1)),
      ),
    (bytes) =>
      decodeBatch(bytes, () => ({ gateway: '', lastSequence: sequence(1), requests: [], digest: zeros, size: 1 })),
  ],
  [
    'bytes of a bundle in a batch',
    (step) => encodeBatch(view(0), 1, [Buffer.alloc(limits.bundleBytesMax + step)]),
    (bytes) =>
      decodeBatch(bytes, () => ({ gateway: '', lastSequence: sequence(1), requests: [], digest: zeros, size: 1 })),
  ],
  [
    'sequence numbers, which begin with 1',
    (step) => encodePhaseBody({ view: view(0), sequence: sequence(1 - step), digest: zeros }),
    (bytes) => decodePhaseBody('commit', 0, bytes),
  ],
  [
    'batches of a FETCH',
    (step) => service.encodeFetch({ target: 0, from: 1, count: service.fetchCountMax + step }),
    (bytes) => service.decodeFetch(0, bytes),
  ],
  [
    'batches of a FETCH, one at least',
    (step) => service.encodeFetch({ target: 0, from: 1, count: 1 - step }),
    (bytes) => service.decodeFetch(0, bytes),
  ],
  [
    'the first batch of a FETCH',
    (step) => service.encodeFetch({ target: 0, from: 1 - step, count: 1 }),
    (bytes) => service.decodeFetch(0, bytes),
  ],
  [
    'COMMITs of a certificate',
    (step) =>
      service.encodeCertificate(
        Buffer.alloc(1),
        Array.from({ length: replicasMax + step }, () => Buffer.alloc(1)),
      ),
    service.decodeCertificate,
  ],
  [
    'bytes of a COMMIT in a certificate',
    (step) => service.encodeCertificate(Buffer.alloc(1), [Buffer.alloc(1024 + step)]),
    service.decodeCertificate,
  ],
  [
    'reasons in a STATUS',
    (step) => status({ refused: Array.from({ length: 64 + step }, () => ['reason', 1] as const) }),
    service.decodeStatus,
  ],
  [
    'processes heard',
    (step) => status({ heard: Array.from({ length: 64 + step }, () => '00'.repeat(8)) }),
    service.decodeStatus,
  ],
  ['bytes of a reason', (step) => status({ refused: [['r'.repeat(64 + step), 1]] }), service.decodeStatus],
  [
    'bytes of a query',
    (step) => service.encodeQuery({ credential, nonce: 1, query: Buffer.alloc(limits.operationBytesMax + step) }),
    service.decodeQuery,
  ],
  [
    "bytes of a query's value",
    (step) =>
      service.encodeQueryReply({
        nonce: 1,
        question: digest('0'.repeat(64)),
        lastExecuted: 0,
        lastPrepared: 0,
        value: Buffer.alloc(limits.resultBytesMax + step),
      }),
    service.decodeQueryReply,
  ],
  [
    'views that are asked for, which begin with 1',
    (step) => viewChange({ view: view(1 - step) }),
    views.decodeViewChange,
  ],
  [
    'signatures under a checkpoint',
    (step) =>
      viewChange({ stable: { sequence: sequence(1), digest: zeros, signatures: signatures(replicasMax + step) } }),
    views.decodeViewChange,
  ],
  [
    'signatures in a prepared certificate',
    (step) =>
      viewChange({
        prepared: [
          {
            view: view(0),
            sequence: sequence(1),
            digest: zeros,
            prePrepare: voteSignature,
            prepares: signatures(replicasMax + step, voteSignature),
          },
        ],
      }),
    views.decodeViewChange,
  ],
  [
    'VIEW-CHANGEs in a NEW-VIEW',
    (step) =>
      views.encodeNewView({
        view: view(1),
        viewChangeFrames: Array.from({ length: replicasMax + step }, () => Buffer.alloc(1)),
        prePrepares: [],
      }),
    views.decodeNewView,
  ],
];

describe('what is decoded is bounded:', () => {
  it.each(caps)('%s', (_, encode, decode) => {
    expect(() => decode(encode(0))).not.toThrow();
    expect(() => decode(encode(1))).toThrow(Malformed);
  });

  it('a number above 2^53−1 is none, for it could not be counted on', () => {
    const largest = new Writer().u64(Number.MAX_SAFE_INTEGER).u64(1).raw(Buffer.alloc(32)).done();
    expect(decodePhaseBody('commit', 0, largest).view).toBe(Number.MAX_SAFE_INTEGER);
    const beyond = Buffer.concat([Buffer.from('0020000000000000', 'hex'), largest.subarray(8)]);
    expect(() => decodePhaseBody('commit', 0, beyond)).toThrow(Malformed);
  });

  it('ill-formed UTF-8 is no text, and a byte order mark is text like any other', () => {
    for (const bad of ['ff', 'c080', 'eda080', 'f4908080', 'e282']) {
      const bytes = bundleOf([{ ...request, client: 'xxxx' }]);
      const at = bytes.indexOf('xxxx');
      const wrong = Buffer.from(bad, 'hex');
      const length = Buffer.alloc(2);
      length.writeUInt16BE(wrong.length);
      const spoilt = Buffer.concat([bytes.subarray(0, at - 2), length, wrong, bytes.subarray(at + 4)]);
      expect(() => decodeBundleBody(spoilt, spoilt.length)).toThrow(Malformed);
    }
    const marked = bundleOf([{ ...request, client: '\ufeffc' }]);
    expect(decodeBundleBody(marked, 1).bundle.requests[0]?.client).toBe('\ufeffc');
  });

  it('a query reply that has no value has no bytes for it, and its flag is 0 or 1', () => {
    const value = Buffer.from('1');
    const some = service.encodeQueryReply({
      ...{ nonce: 1, question: digest('0'.repeat(64)) },
      ...{ lastExecuted: 0, lastPrepared: 0, value },
    });
    for (const flag of [0, 2, 255]) {
      const changed = Buffer.from(some);
      changed[56] = flag;
      expect(() => service.decodeQueryReply(changed)).toThrow(Malformed);
    }
  });
});

describe('frames and packets', () => {
  const parts = {
    kind: 'commit',
    epoch: 0,
    signer: 0,
    body: Buffer.alloc(0),
    signature: voteSignature,
    attachment: Buffer.alloc(0),
  } as const;
  const empty = encodeFrame({ ...parts, genesisDigest }).length;

  it('refuse a frame that is too large, before anything of it is read', () => {
    const largest = encodeFrame({ ...parts, genesisDigest, attachment: Buffer.alloc(frameBytesMax - empty) });
    expect(decodeFrame(largest, genesisDigest)).toMatchObject({ kind: 'commit' });
    expect(decodeFrame(Buffer.alloc(frameBytesMax + 1), genesisDigest)).toBe('oversized-frame');
  });

  it.each([
    ['another version', 0, 1, 'unknown-version'],
    ['no kind', 1, 200, 'unknown-kind'],
    ["genesis, which founders sign and nobody's frame carries", 1, 0, 'unknown-kind'],
    ["another cluster's tag", 2, 0xff, 'wrong-cluster'],
    ["another cluster's tag, in its last byte", 9, 0xff, 'wrong-cluster'],
  ])('tell %s', (_, at, value, reason) => {
    const bytes = encodeFrame({ ...parts, genesisDigest });
    bytes[at] = value;
    expect(decodeFrame(bytes, genesisDigest)).toBe(reason);
  });

  it('refuse a packet that is empty, too large, or has too many frames or one that is too large', () => {
    expect(splitPacket(Buffer.alloc(0))).toBe('malformed-frame');
    expect(splitPacket(Buffer.alloc(packetBytesMax + 1))).toBe('oversized-frame');
    const one = Buffer.alloc(1);
    const many = Array.from({ length: packetFramesMax }, () => one);
    expect(splitPacket(joinPacket(many))).toHaveLength(packetFramesMax);
    expect(splitPacket(joinPacket([...many, one]))).toBe('malformed-frame');
    expect(splitPacket(joinPacket([Buffer.alloc(frameBytesMax + 1)]))).toBe('malformed-frame');
  });

  it('fill packets up to half of what is taken, in order, and never make one that is refused', () => {
    const frames = Array.from({ length: packetFramesMax + 10 }, (_, index) => Buffer.from(String(index)));
    const large = [Buffer.alloc(frameBytesMax, 1), Buffer.alloc(frameBytesMax, 2), Buffer.alloc(frameBytesMax, 3)];
    const publications = packets('commit', [...frames, ...large]);
    expect(publications.map(({ channel }) => channel)).toEqual(publications.map(() => 'commit'));
    const split = publications.flatMap(({ payload }) => splitPacket(Buffer.from(payload)) as Buffer[]);
    expect(split.map(sha256)).toEqual([...frames, ...large].map(sha256));
    expect(publications.length).toBeGreaterThan(3);
    expect(packets('commit', [])).toEqual([]);
  });
});
