import { z } from 'zod';
import { QuorateError } from '../errors.js';
import { limits } from '../pbft/configuration.js';
import { digest, sequence as sequenceOf, view as viewOf } from '../pbft/types.js';
import { digestOfRequest } from '../wire/bundle.js';
import { canonicalJsonBytes, type Json } from '../wire/json.js';
import { hashOfLeaf } from '../wire/reply.js';
import { parseStrictJson, parseStrictJsonBytes, type JsonLimits } from '../wire/strict-json.js';
import { sha256 } from './digest.js';
import { signatureBytes } from './ed25519.js';
import { Membership, parseMembership } from './membership.js';
import { rootFromPath } from './merkle.js';
import { replyStatement } from './receipt.js';
import { demand, Refused, signersOf, type SignatureFault } from './verdict.js';
import { base64Bytes, firstIssue, hexBytes, wholeNumber } from './text-forms.js';

/** Bytes of a file that is verified. */
const receiptBytesMax = 1024 * 1024;

/** A reply holds its result, and a result is at most 64 deep. No genuine receipt comes near the other two. */
const jsonLimits: JsonLimits = { depthMax: 65, entriesMax: 65_536, stringLengthMax: 65_536 };

/** Bytes of a client's name: `key:` and 64 hexadecimal digits is the longest that there is. */
const clientBytesMax = 80;

/** No inclusion path of a batch is longer. */
const pathLengthMax = 10;

/** Why a receipt is refused. Codes are stable, and checked in the order of docs/receipts.md. */
export type ReceiptFault =
  | 'invalid-membership'
  | 'malformed'
  | 'other-cluster'
  | 'other-epoch'
  | 'inconsistent-reply'
  | 'wrong-request-digest'
  | 'wrong-result-digest'
  | 'wrong-proof'
  | SignatureFault;

/** What a genuine receipt proves. */
export interface ReceiptSummary {
  readonly cluster: string;
  /** Names the membership: to be compared with one that is known from elsewhere. */
  readonly genesisDigest: string;
  readonly epoch: number;
  readonly view: number;
  readonly sequence: number;
  readonly client: string;
  readonly timestamp: number;
  readonly requestDigest: string;
  readonly operationDigest: string;
  readonly resultDigest: string;
  /** Whose signatures it carries; at least f+1. */
  readonly replicas: readonly string[];
  /** The result that they vouch for; absent when only a receipt was given, which has its digest. */
  readonly result?: Json;
}

export type ReceiptVerdict =
  | { readonly valid: true; readonly summary: ReceiptSummary }
  | { readonly valid: false; readonly code: ReceiptFault; readonly reason: string };

const digestHex = hexBytes(32).transform((bytes) => digest(bytes.toString('hex')));
const client = z.string().refine((name) => name !== '' && Buffer.byteLength(name) <= clientBytesMax, {
  error: `not 1 to ${String(clientBytesMax)} bytes of UTF-8`,
});

const receiptSchema = z.strictObject({
  cluster: z.string(),
  epoch: wholeNumber(0),
  view: wholeNumber(0),
  sequence: wholeNumber(1),
  client,
  timestamp: wholeNumber(0),
  operationDigest: digestHex,
  requestDigest: digestHex,
  resultDigest: digestHex,
  proof: z.strictObject({
    index: wholeNumber(0),
    size: wholeNumber(1, limits.batchOperationsMax),
    path: z.array(hexBytes(32)).max(pathLengthMax),
  }),
  signatures: z.array(z.strictObject({ replica: z.string(), signature: base64Bytes(signatureBytes) })),
});

const replySchema = z.strictObject({
  id: digestHex,
  client,
  timestamp: wholeNumber(0),
  view: wholeNumber(0),
  sequence: wholeNumber(1),
  result: z.unknown(),
  receipt: receiptSchema,
});

type ParsedReply = z.output<typeof replySchema>;
type ParsedReceipt = z.output<typeof receiptSchema>;

/**
 * Whether a receipt is genuine: needs nothing but the receipt and the membership, and trusts neither gateway nor Redis.
 * @param receipt the text of a whole reply, as `POST /v1/requests` gave it, or of its `receipt` alone
 * @param membership the text that `GET /v1/membership` gave, or what was read from it
 */
export function verifyReceiptText(
  receipt: string | Uint8Array,
  membership: string | Uint8Array | Membership,
): ReceiptVerdict {
  let members: Membership;
  try {
    members = membership instanceof Membership ? membership : parseMembership(parsed(membership));
  } catch (error) {
    return refusal(error, 'invalid-membership');
  }
  try {
    return verifyReceipt(parsed(receipt), members);
  } catch (error) {
    return refusal(error, 'malformed');
  }
}

function refusal(error: unknown, code: ReceiptFault): ReceiptVerdict {
  if (error instanceof QuorateError) return { valid: false, code, reason: error.message };
  throw error;
}

function parsed(text: string | Uint8Array): Json {
  const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
  if (bytes > receiptBytesMax) {
    throw new QuorateError('invalid-receipt', `The file is over ${String(receiptBytesMax)} bytes.`);
  }
  return typeof text === 'string' ? parseStrictJson(text, jsonLimits) : parseStrictJsonBytes(text, jsonLimits);
}

/** As `verifyReceiptText`, for what is parsed already. Equal keys in one object were lost then, if there were any. */
export function verifyReceipt(json: unknown, membership: Membership): ReceiptVerdict {
  try {
    const { reply, receipt } = formOf(json);
    checkPlace(receipt, membership);
    if (reply !== undefined) checkReply(reply);
    checkRequest(receipt);
    if (reply !== undefined) checkResult(reply);
    const statement = statementOf(receipt, membership);
    const replicas = signersOf(receipt.signatures, membership, statement, membership.f + 1);
    return { valid: true, summary: summaryOf(receipt, membership, replicas, reply) };
  } catch (error) {
    if (error instanceof Refused) return { valid: false, code: error.code as ReceiptFault, reason: error.message };
    throw error;
  }
}

function formOf(json: unknown): { reply: ParsedReply | undefined; receipt: ParsedReceipt } {
  const isReply = typeof json === 'object' && json !== null && Object.hasOwn(json, 'receipt');
  if (isReply) {
    const result = replySchema.safeParse(json);
    if (!result.success) throw new Refused('malformed', firstIssue(result.error));
    return { reply: result.data, receipt: result.data.receipt };
  }
  const result = receiptSchema.safeParse(json);
  if (!result.success) throw new Refused('malformed', firstIssue(result.error));
  return { reply: undefined, receipt: result.data };
}

function checkPlace({ cluster, epoch }: ParsedReceipt, membership: Membership): void {
  demand(cluster === membership.genesis.cluster, 'other-cluster', 'it is a receipt of another cluster');
  demand(epoch === membership.epoch, 'other-epoch', `the membership is that of epoch ${String(membership.epoch)}`);
}

function checkReply(reply: ParsedReply): void {
  const { receipt } = reply;
  const isSame =
    reply.id === receipt.requestDigest &&
    reply.client === receipt.client &&
    reply.timestamp === receipt.timestamp &&
    reply.view === receipt.view &&
    reply.sequence === receipt.sequence;
  demand(isSame, 'inconsistent-reply', 'the reply says something else than its receipt');
}

function checkRequest({ client, timestamp, operationDigest, requestDigest }: ParsedReceipt): void {
  const actual = digestOfRequest(client, timestamp, operationDigest);
  const message = 'client, timestamp and operation digest do not give the request digest';
  demand(actual === requestDigest, 'wrong-request-digest', message);
}

function checkResult({ result, receipt }: ParsedReply): void {
  const actual = sha256(canonicalJsonBytes(result as Json));
  demand(actual === receipt.resultDigest, 'wrong-result-digest', 'the result does not give the result digest');
}

function statementOf(receipt: ParsedReceipt, membership: Membership): Buffer {
  const { view, sequence, proof } = receipt;
  const root = rootFromPath(hashOfLeaf(receipt), proof.index, proof.size, proof.path);
  demand(root !== undefined, 'wrong-proof', 'the path is not one of that leaf in a tree of that size');
  const place = { view: viewOf(view), sequence: sequenceOf(sequence) };
  return replyStatement(membership, { ...place, size: proof.size, root: digest(root.toString('hex')) });
}

function summaryOf(
  receipt: ParsedReceipt,
  membership: Membership,
  replicas: readonly string[],
  reply: ParsedReply | undefined,
): ReceiptSummary {
  const { cluster, epoch, view, sequence, client, timestamp, requestDigest, operationDigest, resultDigest } = receipt;
  return {
    cluster,
    genesisDigest: membership.digestHex,
    epoch,
    view,
    sequence,
    client,
    timestamp,
    requestDigest,
    operationDigest,
    resultDigest,
    replicas,
    ...(reply === undefined ? {} : { result: reply.result as Json }),
  };
}
