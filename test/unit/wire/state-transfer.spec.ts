import { describe, expect, it } from '@jest/globals';
import { sha256 } from '../../../src/crypto/digest.js';
import { digest } from '../../../src/pbft/types.js';
import { Malformed } from '../../../src/wire/bytes.js';
import { frameBytesMax } from '../../../src/wire/frame.js';
import {
  decodeFetchState,
  decodeStateAnswer,
  decodeStateChunk,
  encodeFetchState,
  encodeStateAnswer,
  encodeStateChunk,
  stateTransferLimits,
  type StateQuestion,
} from '../../../src/wire/state-transfer.js';

const { nodesMax, bucketsMax, bucketItemsMax, itemBytesMax, answerBytes } = stateTransferLimits;
const ask = (question: StateQuestion): Buffer =>
  encodeFetchState({ target: 0, nonce: 1, sequence: 128, digest: digest('0'.repeat(64)), question });
const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const page = (hashes: number, items: readonly Buffer[] = []): Buffer =>
  encodeStateAnswer({ ask: 'buckets', pages: [{ hashes: Buffer.alloc(hashes), items }] });

/** The largest that is taken, the smallest that is not, and how it is read. */
const caps: [string, (step: 0 | 1) => Buffer, (bytes: Buffer) => unknown][] = [
  ['nodes asked for', (step) => ask({ ask: 'nodes', part: 0, nodes: many(nodesMax + step, 1) }), decodeFetchState],
  [
    'nodes, of which there is one',
    (step) => ask({ ask: 'nodes', part: 0, nodes: many(1 - step, 1) }),
    decodeFetchState,
  ],
  [
    'buckets asked for',
    (step) => ask({ ask: 'buckets', part: 0, from: many(bucketsMax + step, { bucket: 0, offset: 0 }) }),
    decodeFetchState,
  ],
  [
    'buckets, of which there is one',
    (step) => ask({ ask: 'buckets', part: 0, from: many(1 - step, { bucket: 0, offset: 0 }) }),
    decodeFetchState,
  ],
  [
    'parts',
    (step) => encodeStateAnswer({ ask: 'head', time: 0, roots: many(16 + step, Buffer.alloc(32)) }),
    decodeStateAnswer,
  ],
  [
    'nodes',
    (step) => encodeStateAnswer({ ask: 'nodes', below: many(nodesMax + step, Buffer.alloc(4096)) }),
    decodeStateAnswer,
  ],
  [
    'pages',
    (step) =>
      encodeStateAnswer({ ask: 'buckets', pages: many(bucketsMax + step, { hashes: Buffer.alloc(0), items: [] }) }),
    decodeStateAnswer,
  ],
  ['hashes of a bucket', (step) => page(32 * (bucketItemsMax + step)), decodeStateAnswer],
  ['whole hashes', (step) => page(32 + step), decodeStateAnswer],
  ['bytes of an item', (step) => page(0, [Buffer.alloc(itemBytesMax + step)]), decodeStateAnswer],
];

describe('what is decoded of a state transfer is bounded:', () => {
  it.each(caps)('%s', (_, encode, decode) => {
    expect(() => decode(encode(0))).not.toThrow();
    expect(() => decode(encode(1))).toThrow(Malformed);
  });

  it('and fits in a frame', () => {
    expect(page(32 * bucketItemsMax, [Buffer.alloc(itemBytesMax)]).length + 1024).toBeLessThan(frameBytesMax);
    expect(page(0, many(answerBytes / 32, Buffer.alloc(32 - 4))).length + 1024).toBeLessThan(frameBytesMax);
  });

  it('a question and an answer are of a known kind', () => {
    const question = ask({ ask: 'head' });
    for (const kind of [0, 4, 255]) {
      const changed = Buffer.from(question);
      changed[changed.length - 1] = kind;
      expect(() => decodeFetchState(changed)).toThrow(Malformed);
    }
    expect(() => decodeStateAnswer(Buffer.from([4]))).toThrow(Malformed);
    expect(() => decodeStateAnswer(Buffer.alloc(0))).toThrow(Malformed);
  });

  it('a chunk carries what was signed', () => {
    const attachment = Buffer.from('what was signed');
    const body = encodeStateChunk({ target: 1, nonce: 2, attachment: sha256(attachment) });
    expect(decodeStateChunk(body, attachment)).toMatchObject({ target: 1, nonce: 2 });
    expect(() => decodeStateChunk(body, Buffer.from('what was not'))).toThrow(Malformed);
  });
});
