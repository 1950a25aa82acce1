import { sha256 } from '../crypto/digest.js';
import type { Digest } from '../pbft/types.js';
import { Reader, Writer, demand } from './bytes.js';

/**
 * State transfer (rule 25): FETCH-STATE asks one replica about a checkpoint that it vouches for, STATE-CHUNK answers. What
 * a chunk says is bound to its signer by the SHA-256 of its attachment; whether it is true, the asker sees from the
 * checkpoint's digest: everything asked for is a hash's preimage.
 */

export const stateTransferLimits = {
  /** Nodes that one question asks for. */
  nodesMax: 64,
  /** Buckets that one question asks for. */
  bucketsMax: 256,
  /** Questions that one replica asks another in a tick. */
  questionsPerTickMax: 2,
  /** Bytes that an answer is filled up to, so that nobody is kept from the rest for long; a bucket's hashes and one item it may hold in any case. */
  answerBytes: 512 * 1024,
  /** Items of one bucket: so many hashes are 2 MiB. */
  bucketItemsMax: 65_536,
  /** Bytes of one item's encoding. */
  itemBytesMax: 1024 * 1024,
} as const;

const partsMax = 16;
const hashBytes = 32;
/** Hashes that lie one step, of two levels, below a node. */
const stepBytes = 128 * hashBytes;

/** What is asked about a checkpoint. */
export type StateQuestion =
  /** What its digest is made of. */
  | { readonly ask: 'head' }
  /** The hashes two levels below nodes of a part's tree: of the root, 1, or of those two levels below it, 128 … 255. */
  | { readonly ask: 'nodes'; readonly part: number; readonly nodes: readonly number[] }
  /** Buckets of a part: the hashes of all their items, and the items from `offset` on. */
  | { readonly ask: 'buckets'; readonly part: number; readonly from: readonly BucketOffset[] };

export interface BucketOffset {
  readonly bucket: number;
  /** With 0 the answer has the bucket's hashes, otherwise they are known. */
  readonly offset: number;
}

/** Asks one replica. */
export interface FetchState {
  /** The index of the replica that is asked. */
  readonly target: number;
  /** Names the question among its asker's. */
  readonly nonce: number;
  readonly sequence: number;
  /** The checkpoint's digest. */
  readonly digest: Digest;
  readonly question: StateQuestion;
}

export type StateAnswer =
  /** The replica has not, or no longer, got that checkpoint. */
  | { readonly ask: 'gone' }
  | { readonly ask: 'head'; readonly time: number; readonly roots: readonly Buffer[] }
  /** For each node, in the order asked for, 128 hashes. */
  | { readonly ask: 'nodes'; readonly below: readonly Buffer[] }
  /** Of the first buckets asked for, at least one; of the last of them perhaps not all items. */
  | { readonly ask: 'buckets'; readonly pages: readonly BucketPage[] };

export interface BucketPage {
  /** Hashes of all items in the order of their keys, one after the other; none unless the offset is 0. */
  readonly hashes: Buffer;
  /** Encoded items, in the order of their keys. */
  readonly items: readonly Buffer[];
}

/** What a replica signs of an answer. */
export interface StateChunk {
  /** The index of the replica that asked. */
  readonly target: number;
  readonly nonce: number;
  /** SHA-256 of the attachment. */
  readonly attachment: Digest;
}

const asks = ['gone', 'head', 'nodes', 'buckets'] as const;
type Ask = (typeof asks)[number];

/** u16 target ‖ u64 nonce ‖ u64 sequence ‖ digest ‖ u8 ask ‖ (nodes: u8 part ‖ u16 count × u32; buckets: u8 part ‖ u16 count × (u32 ‖ u32)). */
export function encodeFetchState({ target, nonce, sequence, digest, question }: FetchState): Buffer {
  const writer = new Writer().u16(target).u64(nonce).u64(sequence).digest(digest).u8(asks.indexOf(question.ask));
  switch (question.ask) {
    case 'head':
      break;
    case 'nodes':
      writer.u8(question.part).list(question.nodes, (node) => writer.u32(node));
      break;
    case 'buckets':
      writer.u8(question.part).list(question.from, ({ bucket, offset }) => writer.u32(bucket).u32(offset));
      break;
  }
  return writer.done();
}

/** @throws {Malformed} */
export function decodeFetchState(body: Buffer): FetchState {
  const reader = new Reader(body);
  const asked = { target: reader.u16(), nonce: reader.u64(), sequence: reader.u64(), digest: reader.digest() };
  const question = readQuestion(reader);
  reader.end();
  return { ...asked, question };
}

function readQuestion(reader: Reader): StateQuestion {
  const ask = readAsk(reader);
  demand(ask !== 'gone', 'nobody asks for what is gone');
  if (ask === 'head') return { ask };
  const part = reader.u8();
  if (ask === 'nodes') {
    const nodes = reader.list(stateTransferLimits.nodesMax, () => reader.u32());
    demand(nodes.length > 0, 'no nodes');
    return { ask, part, nodes };
  }
  const from = reader.list(stateTransferLimits.bucketsMax, () => ({ bucket: reader.u32(), offset: reader.u32() }));
  demand(from.length > 0, 'no buckets');
  return { ask, part, from };
}

export function encodeStateChunk({ target, nonce, attachment }: StateChunk): Buffer {
  return new Writer().u16(target).u64(nonce).digest(attachment).done();
}

/**
 * The chunk, its attachment being the one that was signed.
 * @throws {Malformed}
 */
export function decodeStateChunk(body: Buffer, attachment: Buffer): StateChunk {
  const reader = new Reader(body);
  const chunk = { target: reader.u16(), nonce: reader.u64(), attachment: reader.digest() };
  reader.end();
  demand(sha256(attachment) === chunk.attachment, 'another attachment was signed');
  return chunk;
}

/**
 * The attachment of a STATE-CHUNK: u8 ask ‖ (head: u64 time ‖ u16 count × 32 bytes; nodes: u16 count × 4096 bytes;
 * buckets: u16 count × (u32 length ‖ hashes ‖ u16 count × (u32 length ‖ item))).
 */
export function encodeStateAnswer(answer: StateAnswer): Buffer {
  const writer = new Writer().u8(asks.indexOf(answer.ask));
  switch (answer.ask) {
    case 'gone':
      break;
    case 'head':
      writer.u64(answer.time).list(answer.roots, (root) => writer.raw(root));
      break;
    case 'nodes':
      writer.list(answer.below, (hashes) => writer.raw(hashes));
      break;
    case 'buckets':
      writer.list(answer.pages, ({ hashes, items }) => writer.blob(hashes).list(items, (item) => writer.blob(item)));
      break;
  }
  return writer.done();
}

/** @throws {Malformed} */
export function decodeStateAnswer(attachment: Buffer): StateAnswer {
  const reader = new Reader(attachment);
  const answer = readAnswer(reader);
  reader.end();
  return answer;
}

function readAnswer(reader: Reader): StateAnswer {
  const { nodesMax, bucketsMax, bucketItemsMax, itemBytesMax } = stateTransferLimits;
  const ask = readAsk(reader);
  switch (ask) {
    case 'gone':
      return { ask };
    case 'head':
      return { ask, time: reader.u64(), roots: reader.list(partsMax, () => reader.take(hashBytes)) };
    case 'nodes':
      return { ask, below: reader.list(nodesMax, () => reader.take(stepBytes)) };
    case 'buckets': {
      const pages = reader.list(bucketsMax, () => {
        const hashes = reader.blob(bucketItemsMax * hashBytes);
        demand(hashes.length % hashBytes === 0, 'half a hash');
        return { hashes, items: reader.list(bucketItemsMax, () => reader.blob(itemBytesMax)) };
      });
      return { ask, pages };
    }
  }
}

function readAsk(reader: Reader): Ask {
  const ask = asks[reader.u8()];
  demand(ask !== undefined, 'an unknown question');
  return ask;
}
