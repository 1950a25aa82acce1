import { limits } from '../pbft/configuration.js';
import type { BatchReplies, CachedReply, Executed, ReplyLeaf, ReplyStatement } from '../pbft/effects.js';
import { digest, sequence, view, type Digest } from '../pbft/types.js';
import { sha256 } from '../crypto/digest.js';
import { hashBytes, leafHash, MerkleTree, rootFromPath, splitPath } from '../crypto/merkle.js';
import { Reader, Writer, demand } from './bytes.js';
import { digestOfRequest } from './bundle.js';

/** A path in a tree of `limits.batchOperationsMax` leaves. */
const pathBytesMax = Math.ceil(Math.log2(limits.batchOperationsMax)) * hashBytes;
/** Bytes of results that one reply frame carries; more go into further frames. */
const resultBytesPerFrame = 1024 * 1024;

/** What comes with a statement: all leaves of the batch, or each reply's own path where the leaves are gone. */
const forms = { leaves: 0, paths: 1 } as const;

/** One reply out of a verified attachment. */
export interface ProvenReply {
  readonly executed: Executed;
  readonly resultDigest: Digest;
  /** From its leaf to the statement's root, nearest first, in hexadecimal. */
  path(): readonly string[];
}

/** SHA-256(0x00 ‖ request digest ‖ result digest). */
export function hashOfLeaf({ requestDigest, resultDigest }: ReplyLeaf): Buffer {
  return leafHash(Buffer.from(requestDigest + resultDigest, 'hex'));
}

function treeOver(leaves: readonly ReplyLeaf[]): MerkleTree {
  const hashes = Buffer.allocUnsafe(leaves.length * hashBytes);
  for (const [index, leaf] of leaves.entries()) hashes.set(hashOfLeaf(leaf), index * hashBytes);
  return new MerkleTree(hashes);
}

/** The root over a batch's replies, and each one's path to it. */
export function proveReplies(leaves: readonly ReplyLeaf[]): { root: Digest; path: (index: number) => Uint8Array } {
  const tree = treeOver(leaves);
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
    const writer = new Writer().u8(forms.leaves);
    writer.list(leaves, (leaf) => writer.digest(leaf.requestDigest).digest(leaf.resultDigest));
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

function chunksOf<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const chunks: T[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    if (bytes > 0 && bytes + bytesOf(item) > resultBytesPerFrame) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(item);
    bytes += bytesOf(item);
  }
  return chunks;
}

function writeItem(writer: Writer, item: Executed): Writer {
  return writer.u32(item.index).text(item.client).u64(item.timestamp).digest(item.operationDigest).blob(item.result);
}

/**
 * The replies in an attachment, each bound to the statement's root.
 * @throws {Malformed}
 */
export function decodeReplyAttachment(attachment: Buffer, statement: ReplyStatement): ProvenReply[] {
  const reader = new Reader(attachment);
  const form = reader.u8();
  demand(form === forms.leaves || form === forms.paths, 'an unknown form of replies');
  const replies = form === forms.leaves ? readUnderLeaves(reader, statement) : readWithPaths(reader, statement);
  reader.end();
  return replies;
}

function readUnderLeaves(reader: Reader, statement: ReplyStatement): ProvenReply[] {
  const leaves = reader.list(limits.batchOperationsMax, (): ReplyLeaf => {
    return { requestDigest: reader.digest(), resultDigest: reader.digest() };
  });
  demand(leaves.length === statement.size && leaves.length > 0, 'another number of leaves than was signed');
  const tree = treeOver(leaves);
  demand(tree.root.toString('hex') === statement.root, 'another root than was signed');
  return reader.list(limits.batchOperationsMax, () => {
    const { executed, resultDigest } = readItem(reader);
    const leaf = leaves[executed.index];
    demand(leaf?.requestDigest === executed.requestDigest, 'a reply to another request than its leaf says');
    demand(leaf.resultDigest === resultDigest, 'another result than its leaf says');
    return { executed, resultDigest, path: () => inHex(tree.path(executed.index)) };
  });
}

function readWithPaths(reader: Reader, { size, root }: ReplyStatement): ProvenReply[] {
  return reader.list(limits.batchOperationsMax, () => {
    const { executed, resultDigest } = readItem(reader);
    const path = readPath(reader.blob(pathBytesMax));
    const leaf = hashOfLeaf({ requestDigest: executed.requestDigest, resultDigest });
    const reached = rootFromPath(leaf, executed.index, size, path);
    demand(reached?.toString('hex') === root, 'a path that does not lead to the signed root');
    return { executed, resultDigest, path: () => path.map((node) => node.toString('hex')) };
  });
}

function inHex(path: Buffer): string[] {
  return splitPath(path).map((node) => node.toString('hex'));
}

/** @throws {Malformed} */
export function readPath(bytes: Uint8Array): Buffer[] {
  demand(bytes.length % hashBytes === 0, 'a path of whole hashes');
  return splitPath(Buffer.from(bytes));
}

function readItem(reader: Reader): { executed: Executed; resultDigest: Digest } {
  const index = reader.u32();
  const client = reader.text(80);
  const timestamp = reader.u64();
  const operationDigest = reader.digest();
  const result = reader.blob(limits.resultBytesMax);
  const requestDigest = digestOfRequest(client, timestamp, operationDigest);
  const executed = { client, timestamp, requestDigest, operationDigest, result, index };
  return { executed, resultDigest: sha256(result) };
}
