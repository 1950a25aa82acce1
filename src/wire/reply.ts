import { limits } from '../pbft/configuration.js';
import type { BatchReplies, CachedReply, Executed, ReplyLeaf, ReplyStatement } from '../pbft/effects.js';
import { digest, sequence, view, type Digest } from '../pbft/types.js';
import { sha256 } from '../crypto/digest.js';
import { hashBytes, latin1LeafHash, leafHash, MerkleTree, rootFromPath, splitPath } from '../crypto/merkle.js';
import { Reader, Writer, demand } from './bytes.js';
import { digestOfRequest } from './bundle.js';

/** A leaf: request digest ‖ result digest. */
const leafBytes = 2 * hashBytes;
/** A path in a tree of `limits.batchOperationsMax` leaves. */
const pathBytesMax = Math.ceil(Math.log2(limits.batchOperationsMax)) * hashBytes;
/** Bytes of results that one reply frame carries; more go into further frames. */
const resultBytesPerFrame = 1024 * 1024;

/** A result of more bytes is hardly the same as the one before, and not kept to see. */
const rememberedBytesMax = 1024;

/** What comes with a statement: all leaves of the batch, or each reply's own path where the leaves are gone. */
const forms = { leaves: 0, paths: 1 } as const;

type RequestName = Pick<Executed, 'client' | 'timestamp'>;

/** One reply out of a verified attachment. */
export interface ProvenReply {
  readonly executed: Executed;
  readonly resultDigest: Digest;
  /** From its leaf to the statement's root, nearest first, in hexadecimal. */
  path(): readonly string[];
}

/** SHA-256(0x00 ‖ request digest ‖ result digest). */
export function hashOfLeaf(leaf: ReplyLeaf): Buffer {
  return leafHash(bytesOf([leaf]));
}

/** A batch's leaves as bytes: they are hashed once, and sent to each gateway that has a request in it. */
const encodedLeaves = new WeakMap<readonly ReplyLeaf[], Buffer>();

function bytesOf(leaves: readonly ReplyLeaf[]): Buffer {
  const known = encodedLeaves.get(leaves);
  if (known !== undefined) return known;
  const bytes = Buffer.allocUnsafe(leaves.length * leafBytes);
  let end = 0;
  let previous: Digest | undefined;
  for (const { requestDigest, resultDigest } of leaves) {
    bytes.write(requestDigest, end, 'hex');
    end += hashBytes;
    // Most results are what the last one was, and copying is cheaper than reading digits.
    if (resultDigest === previous) bytes.copyWithin(end, end - leafBytes, end - hashBytes);
    else bytes.write(resultDigest, end, 'hex');
    end += hashBytes;
    previous = resultDigest;
  }
  encodedLeaves.set(leaves, bytes);
  return bytes;
}

/** The tree over leaves that lie one after the other. */
function treeOver(leaves: Buffer): MerkleTree {
  const hashes = Buffer.allocUnsafe(leaves.length / 2);
  for (let start = 0; start < leaves.length; start += leafBytes) {
    hashes.write(latin1LeafHash(leaves, start, start + leafBytes), start / 2, 'latin1');
  }
  return new MerkleTree(hashes);
}

/** The root over a batch's replies, and each one's path to it. */
export function proveReplies(leaves: readonly ReplyLeaf[]): { root: Digest; path: (index: number) => Uint8Array } {
  const tree = treeOver(bytesOf(leaves));
  return { root: digest(tree.root.toString('hex')), path: (index) => tree.path(index) };
}

/** A replica's signed word on one executed batch: u64 view ‖ u64 sequence ‖ u32 size ‖ 32 bytes Merkle root. */
export function encodeReplyBody(statement: ReplyStatement): Buffer {
  return new Writer().u64(statement.view).u64(statement.sequence).u32(statement.size).digest(statement.root).done();
}

/** @throws {Malformed} */
export function decodeReplyBody(body: Buffer): ReplyStatement {
  const reader = new Reader(body);
  const place = { view: view(reader.u64()), sequence: sequence(reader.u64()) };
  const statement = { ...place, size: reader.u32(), root: reader.digest() };
  reader.end();
  return statement;
}

/** Form 0: u8 0 ‖ all leaves of the batch: u16 count × 64 bytes ‖ u16 count × item. Several when results are large. */
export function encodeReplyAttachments({ leaves }: BatchReplies, items: readonly Executed[]): Buffer[] {
  return chunksOf(items, (item) => item.result.length).map((chunk) => {
    const room = chunk.reduce((bytes, { client, result }) => bytes + itemBytes + client.length + result.length, 0);
    const writer = new Writer(3 + leaves.length * leafBytes + 2 + room);
    writer.u8(forms.leaves).u16(leaves.length).raw(bytesOf(leaves));
    return writer.list(chunk, (item) => writeItem(writer, item)).done();
  });
}

/** Form 1: u8 1 ‖ u16 count × (item ‖ blob path). All of one statement. */
export function encodeCachedAttachments(replies: readonly CachedReply[]): Buffer[] {
  return chunksOf(replies, ({ executed }) => executed.result.length).map((chunk) => {
    const writer = new Writer().u8(forms.paths);
    return writer.list(chunk, ({ executed, path }) => writeItem(writer, executed).blob(path)).done();
  });
}

function chunksOf<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const chunks: T[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    if (bytes > 0 && bytes + sizeOf(item) > resultBytesPerFrame) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(item);
    bytes += sizeOf(item);
  }
  return chunks;
}

/** Of an item besides its client and its result. */
const itemBytes = 4 + 2 + 8 + hashBytes + 4;

function writeItem(writer: Writer, item: Executed): Writer {
  return writer.u32(item.index).text(item.client).u64(item.timestamp).digest(item.operationDigest).blob(item.result);
}

/**
 * The replies in an attachment, each bound to the statement's root. Of those that come with paths of their own, only the
 * ones that `isAwaited` are looked at closely.
 * @throws {Malformed}
 */
export function decodeReplyAttachment(
  attachment: Buffer,
  statement: ReplyStatement,
  isAwaited: (request: RequestName) => boolean = () => true,
): ProvenReply[] {
  const reader = new Reader(attachment);
  const form = reader.u8();
  demand(form === forms.leaves || form === forms.paths, 'an unknown form of replies');
  const replies =
    form === forms.leaves ? readUnderLeaves(reader, statement) : readWithPaths(reader, statement, isAwaited);
  reader.end();
  return replies;
}

/** Whether an attachment holds all leaves of its batch: the same to the byte from every replica. */
export function hasAllLeaves(attachment: Buffer): boolean {
  return attachment[0] === forms.leaves;
}

function readUnderLeaves(reader: Reader, statement: ReplyStatement): ProvenReply[] {
  const size = reader.u16();
  demand(size === statement.size && size > 0, 'another number of leaves than was signed');
  demand(size <= limits.batchOperationsMax, 'more leaves than a batch has');
  const leaves = reader.take(size * leafBytes);
  const tree = treeOver(leaves);
  demand(tree.root.toString('hex') === statement.root, 'another root than was signed');
  return reader.list(limits.batchOperationsMax, () => {
    const { executed, resultDigest } = executedOf(readItem(reader));
    const start = executed.index * leafBytes;
    demand(executed.index < size, 'a reply to no leaf');
    const isItsRequest = leaves.toString('hex', start, start + hashBytes) === executed.requestDigest;
    demand(isItsRequest, 'a reply to another request than its leaf says');
    const isItsResult = leaves.toString('hex', start + hashBytes, start + leafBytes) === resultDigest;
    demand(isItsResult, 'another result than its leaf says');
    return new LeafReply(executed, resultDigest, tree);
  });
}

/** A reply whose path is in the tree of its batch. */
class LeafReply implements ProvenReply {
  constructor(
    readonly executed: Executed,
    readonly resultDigest: Digest,
    private readonly tree: MerkleTree,
  ) {}

  path(): readonly string[] {
    return this.tree.pathInHex(this.executed.index);
  }
}

function readWithPaths(
  reader: Reader,
  { size, root }: ReplyStatement,
  isAwaited: (request: RequestName) => boolean,
): ProvenReply[] {
  const items = reader.list(limits.batchOperationsMax, () => [readItem(reader), reader.blob(pathBytesMax)] as const);
  return items.flatMap(([item, pathBytes]) => {
    if (!isAwaited(item)) return [];
    const { executed, resultDigest } = executedOf(item);
    const path = readPath(pathBytes);
    const leaf = hashOfLeaf({ requestDigest: executed.requestDigest, resultDigest });
    const reached = rootFromPath(leaf, executed.index, size, path);
    demand(reached?.toString('hex') === root, 'a path that does not lead to the signed root');
    return { executed, resultDigest, path: () => path.map((node) => node.toString('hex')) };
  });
}

/** @throws {Malformed} */
function readPath(bytes: Uint8Array): Buffer[] {
  demand(bytes.length % hashBytes === 0, 'a path of whole hashes');
  return splitPath(Buffer.from(bytes));
}

type Item = Omit<Executed, 'requestDigest'>;

function readItem(reader: Reader): Item {
  return {
    index: reader.u32(),
    client: reader.text(80),
    timestamp: reader.u64(),
    operationDigest: reader.digest(),
    result: reader.blob(limits.resultBytesMax),
  };
}

function executedOf({ index, client, timestamp, operationDigest, result }: Item): {
  executed: Executed;
  resultDigest: Digest;
} {
  const requestDigest = digestOfRequest(client, timestamp, operationDigest);
  const executed = { client, timestamp, requestDigest, operationDigest, result, index };
  return { executed, resultDigest: digestOfResult(result) };
}

/** The result that was hashed last: many operations give the same. */
let lastResult: { readonly bytes: Buffer; readonly digest: Digest } | undefined;

function digestOfResult(result: Uint8Array): Digest {
  if (result.length > rememberedBytesMax) return sha256(result);
  if (lastResult?.bytes.equals(result) !== true) lastResult = { bytes: Buffer.from(result), digest: sha256(result) };
  return lastResult.digest;
}
