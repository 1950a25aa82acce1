import { sha256 } from '../../src/crypto/digest.js';
import { sign } from '../../src/crypto/ed25519.js';
import { Membership } from '../../src/crypto/membership.js';
import { buildReply, replyStatement, type Reply } from '../../src/crypto/receipt.js';
import type { BatchReplies, Executed, ReplyStatement } from '../../src/pbft/effects.js';
import { sequence, view } from '../../src/pbft/types.js';
import { digestOfRequest } from '../../src/wire/bundle.js';
import { canonicalJsonBytes, type Json } from '../../src/wire/json.js';
import { decodeReplyAttachment, encodeReplyAttachments, proveReplies, type ProvenReply } from '../../src/wire/reply.js';
import { testCluster, type TestCluster } from '../unit/crypto/support.js';

/** A genuine reply with everything that was signed, all of it the same for the same arguments. */
export interface Genuine {
  readonly cluster: TestCluster;
  readonly membership: Membership;
  readonly operation: Json;
  readonly said: ReplyStatement;
  /** The request's part of it. */
  readonly proven: ProvenReply;
  /** The bytes that were signed. */
  readonly statement: Buffer;
  readonly reply: Reply;
}

export interface GenuineOptions {
  readonly n: number;
  readonly size: number;
  readonly index: number;
  /** f+1 when absent. */
  readonly signers?: number;
  readonly result?: Json;
}

/** Executes `size` puts as one batch and has the last `signers` replicas sign its replies. */
export function genuine({ n, size, index, result = { ok: true }, ...rest }: GenuineOptions): Genuine {
  const cluster = testCluster(n);
  const membership = new Membership(cluster.genesis, cluster.founderSignatures, cluster.enrolments);
  const operations = Array.from({ length: size }, (_, place): Json => ({
    op: 'put',
    key: `key-${place}`,
    value: place,
  }));
  const items = operations.map((operation, place): Executed => {
    const client = 'gateway-1';
    const timestamp = 1000 + place;
    const operationDigest = sha256(canonicalJsonBytes(operation));
    const requestDigest = digestOfRequest(client, timestamp, operationDigest);
    const bytes = canonicalJsonBytes(place === index ? result : { ok: true });
    return { client, timestamp, requestDigest, operationDigest, result: bytes, index: place };
  });
  const leaves = items.map((item) => ({ requestDigest: item.requestDigest, resultDigest: sha256(item.result) }));
  const said: ReplyStatement = { view: view(3), sequence: sequence(42), size, root: proveReplies(leaves).root };
  const replies: BatchReplies = { statement: said, leaves };
  const statement = replyStatement(membership, said);
  const signers = rest.signers ?? membership.f + 1;
  const signatures = cluster.identities
    .map(({ privateKey }, replica) => ({ replica, signature: sign(privateKey, statement).toString('base64') }))
    .slice(-signers);
  const item = items[index];
  const operation = operations[index];
  if (item === undefined || operation === undefined) throw new RangeError(`request ${index} of ${size}`);
  const proven = encodeReplyAttachments(replies, [item]).flatMap((bytes) => decodeReplyAttachment(bytes, said))[0];
  if (proven === undefined) throw new Error('a reply that cannot be read back');
  const reply = buildReply({ membership, statement: said, reply: proven, signatures });
  return { cluster, membership, operation, said, proven, statement, reply };
}
