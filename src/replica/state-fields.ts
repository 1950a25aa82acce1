import { sha256Bytes } from '../crypto/digest.js';
import { QuorateError } from '../errors.js';
import { replicasMax } from '../pbft/quorum.js';
import { stateLimits } from '../state-machine/merkle-state.js';
import { Reader, Writer } from '../wire/bytes.js';
import { decoded } from '../wire/frame.js';

/** Bytes that are read before the store is given up: the state and the reply cache, each perhaps twice while it changes. */
export const storedBytesMax = 4 * stateLimits.stateBytesMax;

/**
 * The names of fields in the hash of the checkpointed state: `PART:GENERATION:KEY` holds an item's encoding, or nothing
 * when the key was deleted. The generation is the sequence number of the checkpoint with which it was stored; of a key's
 * fields the one of the highest generation counts, up to the checkpoint that is committed.
 */
export function fieldOf(part: number, generation: number, key: string): string {
  return `${part}:${generation}:${key}`;
}

/** What a field's name says; `undefined` when it is none of ours. */
export function parseField(field: string): { part: number; generation: number; key: string } | undefined {
  const [, part, generation, key] = /^(\d+):(\d+):(.*)$/s.exec(field) ?? [];
  if (part === undefined || generation === undefined || key === undefined) return undefined;
  const parsed = { part: Number(part), generation: Number(generation), key };
  return fieldOf(parsed.part, parsed.generation, key) === field ? parsed : undefined;
}

/** The fields of the replica's own hash that are written here. */
export const ownFields = {
  /** The checkpoint that is stored whole: the commit of all that was written for it. */
  stored: 'stored-checkpoint',
  /** Which process keeps the store. Written with its first piece, and whenever everything is written anew: if it is gone, so may be all that was
   * written since. */
  keeper: 'keeper',
  /** Keeper and number of the last piece that was written into the store, and of the one before: the even one, and the odd one. */
  pieces: ['even-piece', 'odd-piece'],
  /** The sequence number up to which the log's hashes were removed. */
  collected: 'collected',
} as const;

/** Which checkpoint is stored, and the CHECKPOINT frames of q replicas that vouch for it. */
export interface StoredRecord {
  readonly sequence: number;
  readonly time: number;
  /** Fields of generations below do not count: what was there before everything was written anew. */
  readonly since: number;
  readonly proof: readonly Buffer[];
}

const checkpointFrameBytesMax = 1024;

/**
 * To be raised with every change of how an item or a frame is encoded, what a state's digest covers, or this record: what another release
 * has stored would look like nothing, and be cleared away.
 */
const storedFormat = 3;
const checksumBytes = 8;

/** u16 format ‖ u64 sequence ‖ u64 time ‖ u64 since ‖ u16 count × (u32 length ‖ CHECKPOINT frame) ‖ checksum. */
export function encodeStoredRecord({ sequence, time, since, proof }: StoredRecord): Buffer {
  const writer = new Writer().u16(storedFormat).u64(sequence).u64(time).u64(since);
  const body = writer.list(proof, (frame) => writer.blob(frame)).done();
  return Buffer.concat([body, checksumOf(body)]);
}

/**
 * `undefined`: nothing is stored, or nobody knows what.
 * @throws {QuorateError} `state-format` when it is of another release: it was not made by chance, as the checksum shows
 */
export function decodeStoredRecord(bytes: Buffer): StoredRecord | undefined {
  const body = bytes.subarray(0, -checksumBytes);
  if (body.length < 2 || !checksumOf(body).equals(bytes.subarray(-checksumBytes))) return undefined;
  const format = body.readUInt16BE();
  if (format !== storedFormat) throw otherFormat(format);
  const record = decoded(() => {
    const reader = new Reader(body);
    reader.u16();
    const place = { sequence: reader.u64(), time: reader.u64(), since: reader.u64() };
    const proof = reader.list(replicasMax, () => reader.blob(checkpointFrameBytesMax));
    reader.end();
    return { ...place, proof };
  });
  return record === 'malformed-frame' ? undefined : record;
}

const checksumOf = (body: Buffer): Buffer => sha256Bytes(body).subarray(0, checksumBytes);

function otherFormat(format: number): QuorateError {
  return new QuorateError(
    'state-format',
    `the state in Redis has format ${String(format)}, and this release reads format ${String(storedFormat)}. Run the release that ` +
      'has stored it; or, while enough other replicas have the state, delete the field stored-checkpoint of this replica’s own hash',
    { format, expected: storedFormat },
  );
}
