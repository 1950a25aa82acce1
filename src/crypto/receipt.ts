import type { ReplyStatement } from '../pbft/effects.js';
import { Writer } from '../wire/bytes.js';
import type { Json } from '../wire/json.js';
import { encodeReplyBody, type ProvenReply } from '../wire/reply.js';
import { sortFew } from '../wire/sort-few.js';
import { preamble } from './genesis.js';
import type { Membership } from './membership.js';

/**
 * f+1 or more signatures over one statement, and the path from a reply to it. It stands alone: every field is bound to
 * the signatures. Hex is lower-case; base64 is padded. The bytes are in docs/receipts.md.
 */
export interface Receipt {
  readonly cluster: string;
  readonly epoch: number;
  readonly view: number;
  readonly sequence: number;
  readonly client: string;
  readonly timestamp: number;
  readonly operationDigest: string;
  readonly requestDigest: string;
  readonly resultDigest: string;
  readonly proof: { readonly index: number; readonly size: number; readonly path: readonly string[] };
  readonly signatures: readonly { readonly replica: string; readonly signature: string }[];
}

/** What a client gets for a request. */
export interface Reply {
  /** The request digest. */
  readonly id: string;
  readonly client: string;
  readonly timestamp: number;
  readonly view: number;
  readonly sequence: number;
  readonly result: Json;
  readonly receipt: Receipt;
}

/** What a replica signs, once for a batch: preamble(5) ‖ u64 view ‖ u64 sequence ‖ u32 size ‖ 32 bytes Merkle root. */
export function replyStatement(membership: Pick<Membership, 'digest' | 'epoch'>, statement: ReplyStatement): Buffer {
  return new Writer()
    .raw(preamble(membership.digest, membership.epoch, 'reply'))
    .raw(encodeReplyBody(statement))
    .done();
}

/** What `buildReply` makes a reply of: all of it verified, the signatures by distinct replicas over one statement. */
export interface ReplyParts {
  readonly membership: Membership;
  readonly statement: ReplyStatement;
  /** One of the batch's. */
  readonly reply: ProvenReply;
  /** At least f+1, in base64: all replies of a batch have the same, so that they are encoded once for all of them. */
  readonly signatures: readonly { readonly replica: number; readonly signature: string }[];
}

/** The reply to one request with its receipt. */
export function buildReply({ membership, statement, reply, signatures }: ReplyParts): Reply {
  const { executed, resultDigest } = reply;
  const { client, timestamp, requestDigest, operationDigest, index } = executed;
  const { view, sequence, size } = statement;
  const ordered = sortFew([...signatures], (one, other) => one.replica > other.replica);
  const receipt: Receipt = {
    cluster: membership.genesis.cluster,
    epoch: membership.epoch,
    view,
    sequence,
    client,
    timestamp,
    operationDigest,
    requestDigest,
    resultDigest,
    proof: { index, size, path: reply.path() },
    signatures: ordered.map(({ replica, signature }) => ({ replica: nameOf(membership, replica), signature })),
  };
  const result = JSON.parse(textOf(executed.result)) as Json;
  return { id: requestDigest, client, timestamp, view, sequence, result, receipt };
}

/** A result that was read out of a frame is a Buffer already: no copy and no view is made of it. */
function textOf(bytes: Uint8Array): string {
  return (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)).toString('utf8');
}

function nameOf({ replicas }: Membership, replica: number): string {
  const member = replicas[replica];
  if (member === undefined) throw new RangeError(`replica ${String(replica)} of ${String(replicas.length)}`);
  return member.name;
}
