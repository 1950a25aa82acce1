import { followGroup, proofOfGroup } from '../crypto/merkle-group.js';
import { hashBytes } from '../crypto/merkle.js';
import { limits } from '../pbft/configuration.js';
import type {
  CachedReply,
  ClientHeader,
  ReplyChanges,
  ReplyGroup,
  ReplyStatement,
  ReplyTable,
} from '../pbft/effects.js';
import { sequence, view } from '../pbft/types.js';
import { sha256Latin1 } from '../state-machine/hash-tree.js';
import { MerkleMap, type Item } from '../state-machine/merkle-map.js';
import { sha256 } from '../crypto/digest.js';
import { digestOfRequest } from '../wire/bundle.js';
import { demand, Malformed, Reader, Writer } from '../wire/bytes.js';
import { hashOfLeaf } from '../wire/reply.js';
import type { Part } from './checkpointed-state.js';

/** A client's name: a gateway's, or `key:` and a digest. */
const clientBytesMax = 80;
/** An item must fit in a frame with others, so that a group with many or large results is kept in several. */
const repliesPerItem = 128;
const resultBytesPerItem = 128 * 1024;
const proofBytesMax = repliesPerItem * Math.ceil(Math.log2(limits.batchOperationsMax)) * hashBytes;

const codes = { header: 0, group: 1 } as const;

export interface ReplyItem extends Item {
  readonly content: ClientHeader | ReplyGroup;
}

/**
 * The reply cache as a part of the checkpointed state (rule 12): an item for each client, under the place where it executed
 * last, and for each batch's replies to a client one or several, each under the place of its first.
 *
 *     client: u8 0 ‖ text client ‖ u64 forgotten + 1 ‖ u64 last sequence ‖ u32 last index
 *     group:  u8 1 ‖ text client ‖ u64 view ‖ u64 sequence ‖ u32 size ‖ root
 *             ‖ u16 count × (u64 timestamp ‖ u32 index ‖ operation digest ‖ blob result) ‖ blob proof
 *
 * The proof leads from all of a group's replies to the root that was signed (merkle-group.ts). A client's hash is SHA-256 over its
 * encoding. A group's is the same with only timestamp and index of each reply, and without the proof: the root has one leaf
 * at each index, which has one request and one result, so that nothing else can stand there, and few bytes are hashed.
 *
 * *Keys are places, not names*: a client chooses its name, and may try names until as many as it likes fall into one bucket,
 * which costs each checkpoint what it holds and must fit in one message to be transferred. Where a request is executed
 * follows from what is executed before it: to have one more item in a chosen bucket takes as many executed requests as
 * there are buckets, whoever proposes them.
 */
export class ReplyTree implements Part<ReplyItem> {
  readonly map = new MerkleMap<ReplyItem>();
  /** The keys of each client's item, and of each group's. */
  private readonly keys = new Map<string, readonly string[]>();

  /** Follows the core's table, batch by batch. */
  apply({ headers, groups }: ReplyChanges): void {
    for (const [client, header] of headers) this.replace(client, header === undefined ? [] : [headerItem(header)]);
    for (const [client, bySequence] of groups) {
      for (const [place, group] of bySequence) {
        const items = pieces(group?.replies ?? []).map((replies) => group && groupItem({ ...group, replies }));
        this.replace(
          nameOfGroup(client, place),
          items.filter((item) => item !== undefined),
        );
      }
    }
  }

  /** What the tree holds, for the core. To be called whenever another state was put into the map. */
  table(): ReplyTable {
    const headers: ClientHeader[] = [];
    const groups: ReplyGroup[] = [];
    this.keys.clear();
    for (const { key, content } of this.map.items()) {
      if ('statement' in content) groups.push(content);
      else headers.push(content);
      const name = nameOf(content);
      this.keys.set(name, [...(this.keys.get(name) ?? []), key]);
    }
    return { headers, groups };
  }

  encode({ content }: ReplyItem): Buffer {
    return 'statement' in content ? encodeGroup(content) : encodeHeader(content);
  }

  decode(bytes: Buffer): ReplyItem | undefined {
    try {
      const reader = new Reader(bytes);
      const code = reader.u8();
      demand(code === codes.header || code === codes.group, 'an unknown item');
      const item = code === codes.header ? readHeader(reader) : readGroup(reader);
      reader.end();
      return item;
    } catch (error) {
      if (error instanceof Malformed) return undefined;
      throw error;
    }
  }

  /** The items of this name are these from now on. */
  private replace(name: string, items: readonly ReplyItem[]): void {
    for (const key of this.keys.get(name) ?? []) this.map.delete(key);
    for (const item of items) this.map.set(item);
    if (items.length === 0) this.keys.delete(name);
    else
      this.keys.set(
        name,
        items.map(({ key }) => key),
      );
  }
}

const nameOfGroup = (client: string, place: number): string => `${client}\n${place}`;
const nameOf = (content: ReplyItem['content']): string =>
  'statement' in content ? nameOfGroup(content.client, content.statement.sequence) : content.client;

const headerKey = ({ lastSequence, lastIndex }: ClientHeader): string => `c${lastSequence}\n${lastIndex}`;
const groupKey = ({ statement, replies }: ReplyGroup): string =>
  `g${statement.sequence}\n${replies[0]?.executed.index ?? 0}`;

/** Cut the same way everywhere, since what one item holds is hashed. */
function pieces(replies: readonly CachedReply[]): CachedReply[][] {
  const cut: CachedReply[][] = [];
  let current: CachedReply[] = [];
  let bytes = 0;
  for (const reply of replies) {
    const { length } = reply.executed.result;
    if (current.length > 0 && (current.length >= repliesPerItem || bytes + length > resultBytesPerItem)) {
      cut.push(current);
      current = [];
      bytes = 0;
    }
    current.push(reply);
    bytes += length;
  }
  if (current.length > 0) cut.push(current);
  return cut;
}

function headerItem(content: ClientHeader): ReplyItem {
  const encoding = encodeHeader(content);
  return { key: headerKey(content), hash: sha256Latin1(encoding), bytes: encoding.length, content };
}

function encodeHeader({ client, forgotten, lastSequence, lastIndex }: ClientHeader): Buffer {
  return new Writer()
    .u8(codes.header)
    .text(client)
    .u64(forgotten + 1)
    .u64(lastSequence)
    .u32(lastIndex)
    .done();
}

function readHeader(reader: Reader): ReplyItem {
  const client = reader.text(clientBytesMax);
  const forgotten = reader.u64() - 1;
  return headerItem({ client, forgotten, lastSequence: sequence(reader.u64()), lastIndex: reader.u32() });
}

function groupItem(content: ReplyGroup): ReplyItem {
  const writer = writeGroup(content);
  writer.list(content.replies, ({ executed }) => writer.u64(executed.timestamp).u32(executed.index));
  const pathBytes = Math.ceil(Math.log2(content.statement.size)) * hashBytes;
  const bytes = content.replies.reduce((sum, { executed }) => sum + executed.result.length + pathBytes, 0);
  return { key: groupKey(content), hash: sha256Latin1(writer.done()), bytes, content };
}

function encodeGroup(group: ReplyGroup): Buffer {
  const { statement, replies } = group;
  const writer = writeGroup(group);
  writer.list(replies, ({ executed }) => {
    const { timestamp, index, operationDigest, result } = executed;
    writer.u64(timestamp).u32(index).digest(operationDigest).blob(result);
  });
  const leaves = replies.map((reply) => ({ index: reply.executed.index, path: () => reply.path }));
  return writer.blob(proofOfGroup(leaves, statement.size)).done();
}

function writeGroup({ client, statement }: ReplyGroup): Writer {
  const { view: proposedIn, sequence: place, size, root } = statement;
  return new Writer().u8(codes.group).text(client).u64(proposedIn).u64(place).u32(size).digest(root);
}

function readGroup(reader: Reader): ReplyItem {
  const client = reader.text(clientBytesMax);
  const place = { view: view(reader.u64()), sequence: sequence(reader.u64()) };
  const statement: ReplyStatement = { ...place, size: reader.u32(), root: reader.digest() };
  demand(statement.size <= limits.batchOperationsMax, 'more replies than a batch has');
  const read = reader.list(repliesPerItem, () => readReply(reader, client));
  const proof = Buffer.from(reader.blob(proofBytesMax));
  demand(proof.length % hashBytes === 0, 'a proof of whole hashes');
  const leaves = read.map(({ executed: { requestDigest, index }, resultDigest }) => {
    return { index, hash: hashOfLeaf({ requestDigest, resultDigest }) };
  });
  const reached = followGroup(leaves, statement.size, proof);
  demand(reached?.root.toString('hex') === statement.root, 'a proof that does not lead to the root');
  const replies = read.map((reply, rank): CachedReply => {
    return { ...reply, statement, path: reached.paths[rank] ?? Buffer.alloc(0) };
  });
  return groupItem({ client, statement, replies });
}

function readReply(reader: Reader, client: string): Pick<CachedReply, 'executed' | 'resultDigest'> {
  const timestamp = reader.u64();
  const index = reader.u32();
  const operationDigest = reader.digest();
  const result = Uint8Array.from(reader.blob(limits.resultBytesMax)); // a copy: a frame's bytes would stay as long as it
  const requestDigest = digestOfRequest(client, timestamp, operationDigest);
  return {
    executed: { client, timestamp, requestDigest, operationDigest, result, index },
    resultDigest: sha256(result),
  };
}
