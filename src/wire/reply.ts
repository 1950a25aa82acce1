import { limits } from '../pbft/configuration.js';
import type { BatchReplies, Executed, ReplyLeaf } from '../pbft/effects.js';
import { digest, sequence, view } from '../pbft/types.js';
import { sha256 } from '../crypto/digest.js';
import { leafHash, merkleRoot } from '../crypto/merkle.js';
import { Reader, Writer, demand } from './bytes.js';
import { digestOfRequest } from './bundle.js';

/** A replica's signed word on one executed batch: u64 view ‖ u64 sequence ‖ u32 size ‖ 32 bytes Merkle root. */
export interface ReplyStatement {
  readonly view: number;
  readonly sequence: number;
  readonly size: number;
  readonly root: Buffer;
}

/** Bytes of results that one reply frame carries; more go into further frames. */
const resultBytesPerFrame = 1024 * 1024;

export function hashOfLeaf({ requestDigest, resultDigest }: ReplyLeaf): Buffer {
  return leafHash(Buffer.from(requestDigest + resultDigest, 'hex'));
}

export function encodeReplyBody(replies: BatchReplies): Buffer {
  const { leaves } = replies;
  const root = merkleRoot(leaves.map(hashOfLeaf));
  return new Writer().u64(replies.view).u64(replies.sequence).u32(leaves.length).raw(root).done();
}

/** @throws {Malformed} */
export function decodeReplyBody(body: Buffer): ReplyStatement {
  const reader = new Reader(body);
  const statement = { view: reader.u64(), sequence: reader.u64(), size: reader.u32(), root: reader.take(32) };
  reader.end();
  return statement;
}

/** All leaves of the batch, and what one gateway is to know of some: u16 count × (64 bytes) ‖ u16 count × item. */
export function encodeReplyAttachments(replies: BatchReplies, items: readonly Executed[]): Buffer[] {
  const chunks: Executed[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    if (bytes > 0 && bytes + item.result.length > resultBytesPerFrame) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(item);
    bytes += item.result.length;
  }
  return chunks.map((chunk) => encodeReplyAttachment(replies, chunk));
}

function encodeReplyAttachment({ leaves }: BatchReplies, items: readonly Executed[]): Buffer {
  const writer = new Writer();
  writer.list(leaves, (leaf) => writer.digest(leaf.requestDigest).digest(leaf.resultDigest));
  writer.list(items, (item) =>
    writer.u32(item.index).text(item.client).u64(item.timestamp).digest(item.operationDigest).blob(item.result),
  );
  return writer.done();
}

/**
 * The replies in an attachment, bound to the statement: the leaves give its root, and each item its leaf.
 * @throws {Malformed}
 */
export function decodeReplyAttachment(
  attachment: Buffer,
  statement: ReplyStatement,
): { replies: BatchReplies; items: Executed[] } {
  const reader = new Reader(attachment);
  const leaves = reader.list(limits.batchOperationsMax, (): ReplyLeaf => {
    return { requestDigest: reader.digest(), resultDigest: reader.digest() };
  });
  demand(leaves.length === statement.size && leaves.length > 0, 'another number of leaves than was signed');
  demand(merkleRoot(leaves.map(hashOfLeaf)).equals(statement.root), 'another root than was signed');
  const items = reader.list(limits.batchOperationsMax, () => readItem(reader, leaves));
  reader.end();
  return { replies: { view: view(statement.view), sequence: sequence(statement.sequence), leaves }, items };
}

function readItem(reader: Reader, leaves: readonly ReplyLeaf[]): Executed {
  const index = reader.u32();
  const client = reader.text(80);
  const timestamp = reader.u64();
  const operationDigest = digest(reader.take(32).toString('hex'));
  const result = reader.blob(limits.resultBytesMax);
  const requestDigest = digestOfRequest(client, timestamp, operationDigest);
  const leaf = leaves[index];
  demand(leaf?.requestDigest === requestDigest, 'a reply to another request than its leaf says');
  demand(leaf.resultDigest === sha256(result), 'another result than its leaf says');
  return { client, timestamp, requestDigest, operationDigest, result, index };
}
