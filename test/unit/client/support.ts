import { sha256 } from '../../../src/crypto/digest.js';
import type { ReplicaReply } from '../../../src/client/submission.js';
import type { Executed, ReplyStatement } from '../../../src/pbft/effects.js';
import { sequence, view } from '../../../src/pbft/types.js';
import { digestOfRequest } from '../../../src/wire/bundle.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';
import { decodeReplyAttachment, encodeReplyAttachments, proveReplies } from '../../../src/wire/reply.js';

export const operation = Buffer.from(canonicalJsonBytes({ op: 'put', key: 'a', value: 1 }));

interface Said {
  readonly client?: string;
  readonly timestamp?: number;
  readonly operation?: Buffer;
  readonly result?: Json;
  readonly view?: number;
  readonly sequence?: number;
  /** Other requests that the batch executed before this one. */
  readonly before?: number;
}

/** What a replica replies that has executed so. */
export function replyOf(replica: number, said: Said = {}): ReplicaReply {
  const { client = 'gateway-1', timestamp = 1, result = { ok: true }, before = 0 } = said;
  const items = Array.from({ length: before + 1 }, (_, index): Executed => {
    const isAsked = index === before;
    const operationDigest = sha256(isAsked ? (said.operation ?? operation) : Buffer.from(String(index)));
    const time = isAsked ? timestamp : 1000 + index;
    const requestDigest = digestOfRequest(client, time, operationDigest);
    const bytes = Buffer.from(canonicalJsonBytes(isAsked ? result : null));
    return { client, timestamp: time, operationDigest, requestDigest, result: bytes, index };
  });
  const leaves = items.map((item) => ({ requestDigest: item.requestDigest, resultDigest: sha256(item.result) }));
  const place = { view: view(said.view ?? 0), sequence: sequence(said.sequence ?? 1) };
  const statement: ReplyStatement = { ...place, size: leaves.length, root: proveReplies(leaves).root };
  const [attachment] = encodeReplyAttachments({ statement, leaves }, [items[before]!]);
  const [reply] = decodeReplyAttachment(attachment!, statement);
  return { replica, signature: `signature of ${replica}`, statement, reply: reply! };
}
