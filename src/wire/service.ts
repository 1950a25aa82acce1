import { limits } from '../pbft/configuration.js';
import { replicasMax } from '../pbft/quorum.js';
import { digest, type Digest } from '../pbft/types.js';
import { Reader, Writer, demand } from './bytes.js';
import { readCredential, writeCredential, type Credential } from './credential.js';
import { gatewaySigner } from './frame.js';

/** What a replica says of itself, periodically and on reconnecting (rules 29 and 35). */
export interface Status {
  /** Drawn anew by each process: two living ones with one identity are twins. */
  readonly incarnation: string;
  /** The incarnation of another living process of the same identity that it has heard; zeros when it has heard none. */
  readonly rival: string;
  /** When the process started, milliseconds since 1970, by its own clock. */
  readonly startedAt: number;
  readonly view: number;
  readonly lastExecuted: number;
  readonly stableCheckpoint: number;
  /** Of the state after `lastExecuted`; `undefined` while so much is executed that computing it would cost too much. */
  readonly stateDigest: Digest | undefined;
  /** Which process of each replica it has heard last, in the membership's order; zeros where it has heard none. */
  readonly heard: readonly string[];
  /** Whether it remembers all that it has said, and runs: what it says of its past can be relied on. */
  readonly isWhole: boolean;
  /** Empty while it votes, else why it does not. */
  readonly notVoting: string;
  /** Frames refused since the start, by reason. */
  readonly refused: readonly (readonly [reason: string, count: number])[];
}

export const incarnationBytes = 8;
/** What stands for no digest. */
const noDigest = digest('0'.repeat(64));
const reasonBytesMax = 200;
const reasonsMax = 64;

export function encodeStatus(status: Status): Buffer {
  const writer = new Writer();
  writer
    .raw(Buffer.from(status.incarnation, 'hex'))
    .raw(Buffer.from(status.rival, 'hex'))
    .u64(status.startedAt)
    .u64(status.view)
    .u64(status.lastExecuted)
    .u64(status.stableCheckpoint)
    .digest(status.stateDigest ?? noDigest)
    .u8(status.isWhole ? 1 : 0)
    .text(status.notVoting.slice(0, reasonBytesMax))
    .list(status.heard, (incarnation) => writer.raw(Buffer.from(incarnation, 'hex')));
  return writer.list(status.refused, ([reason, count]) => writer.text(reason).u64(count)).done();
}

/** @throws {Malformed} */
export function decodeStatus(body: Buffer): Status {
  const reader = new Reader(body);
  const status = {
    incarnation: reader.take(incarnationBytes).toString('hex'),
    rival: reader.take(incarnationBytes).toString('hex'),
    startedAt: reader.u64(),
    view: reader.u64(),
    lastExecuted: reader.u64(),
    stableCheckpoint: reader.u64(),
    stateDigest: readStateDigest(reader),
    isWhole: readFlag(reader),
    notVoting: reader.text(reasonBytesMax * 3),
    heard: reader.list(replicasMax, () => reader.take(incarnationBytes).toString('hex')),
    refused: reader.list(reasonsMax, () => [reader.text(64), reader.u64()] as const),
  };
  reader.end();
  return status;
}

function readStateDigest(reader: Reader): Digest | undefined {
  const told = reader.digest();
  return told === noDigest ? undefined : told;
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  demand(flag <= 1, 'neither yes nor no');
  return flag === 1;
}

/** Asks one replica for committed batches from `from` on. */
export interface Fetch {
  /** The index of the replica that is asked. */
  readonly target: number;
  readonly from: number;
  readonly count: number;
}

/** Batches that one FETCH may ask for. */
export const fetchCountMax = 64;

export function encodeFetch(fetch: Fetch, credential?: Credential): Buffer {
  const writer = credential === undefined ? new Writer() : writeCredential(new Writer(), credential);
  return writer.u16(fetch.target).u64(fetch.from).u16(fetch.count).done();
}

/** @throws {Malformed} */
export function decodeFetch(signer: number, body: Buffer): Fetch & { readonly credential: Credential | undefined } {
  const reader = new Reader(body);
  const credential = signer === gatewaySigner ? readCredential(reader) : undefined;
  const fetch = { credential, target: reader.u16(), from: reader.u64(), count: reader.u16() };
  reader.end();
  demand(fetch.from > 0 && fetch.count > 0 && fetch.count <= fetchCountMax, 'fetch out of bounds');
  return fetch;
}

/** Answers a FETCH for one sequence number; the attachment holds the batch and q COMMIT frames, or is empty. */
export interface Decided {
  readonly sequence: number;
  readonly lastExecuted: number;
}

export function encodeDecided(decided: Decided): Buffer {
  return new Writer().u64(decided.sequence).u64(decided.lastExecuted).done();
}

/** @throws {Malformed} */
export function decodeDecided(body: Buffer): Decided {
  const reader = new Reader(body);
  const decided = { sequence: reader.u64(), lastExecuted: reader.u64() };
  reader.end();
  return decided;
}

/** The proof that a batch committed: u32 length ‖ batch ‖ u16 count ‖ count × (u32 length ‖ COMMIT frame). */
export function encodeCertificate(batch: Uint8Array, commitFrames: readonly Uint8Array[]): Buffer {
  const writer = new Writer().blob(batch);
  return writer.list(commitFrames, (frame) => writer.blob(frame)).done();
}

/** @throws {Malformed} */
export function decodeCertificate(attachment: Buffer): { batch: Buffer; commitFrames: Buffer[] } {
  const reader = new Reader(attachment);
  const batch = reader.blob(limits.batchBytesMax * 2);
  const commitFrames = reader.list(64, () => reader.blob(1024));
  reader.end();
  return { batch, commitFrames };
}

/** A question to the state machine that changes nothing (paper §4.1, read-only requests). */
export interface Query {
  readonly credential: Credential;
  /** Names the question among its gateway's. */
  readonly nonce: number;
  readonly query: Buffer;
}

export function encodeQuery({ credential, nonce, query }: Query): Buffer {
  return writeCredential(new Writer(), credential).u64(nonce).blob(query).done();
}

/** @throws {Malformed} */
export function decodeQuery(body: Buffer): Query {
  const reader = new Reader(body);
  const credential = readCredential(reader);
  const query = { credential, nonce: reader.u64(), query: reader.blob(limits.operationBytesMax) };
  reader.end();
  return query;
}

export interface QueryReply {
  readonly nonce: number;
  /**
   * SHA-256 of the QUERY's body: its gateway, its nonce and what is asked. The nonce alone, which is no secret on the bus, could be that of
   * somebody else's question.
   */
  readonly question: Digest;
  /** The state after this sequence number was asked. */
  readonly lastExecuted: number;
  /** The highest sequence number for which the replica has sent a COMMIT: what may have been acknowledged already. */
  readonly lastPrepared: number;
  /** `undefined`: there is no such thing. */
  readonly value: Buffer | undefined;
}

export function encodeQueryReply({ nonce, question, lastExecuted, lastPrepared, value }: QueryReply): Buffer {
  const writer = new Writer().u64(nonce).digest(question).u64(lastExecuted).u64(lastPrepared);
  return writer
    .u8(value === undefined ? 0 : 1)
    .blob(value ?? Buffer.alloc(0))
    .done();
}

/** @throws {Malformed} */
export function decodeQueryReply(body: Buffer): QueryReply {
  const reader = new Reader(body);
  const nonce = reader.u64();
  const question = reader.digest();
  const lastExecuted = reader.u64();
  const lastPrepared = reader.u64();
  const flag = reader.u8();
  const value = reader.blob(limits.resultBytesMax);
  reader.end();
  demand(flag <= 1 && (flag === 1 || value.length === 0), 'a value that is not there');
  return { nonce, question, lastExecuted, lastPrepared, value: flag === 1 ? value : undefined };
}
