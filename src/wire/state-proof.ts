import { limits } from '../pbft/configuration.js';
import { Reader, Writer, demand } from './bytes.js';
import { readCredential, writeCredential, type Credential } from './credential.js';
import { frameBytesMax } from './frame.js';
import { readSignatures, writeSignatures, type Signed } from './views.js';

/** Asks one replica to prove what a key of the state holds. */
export interface Prove {
  readonly credential: Credential;
  /** The index of the replica that is asked. */
  readonly target: number;
  /** Names the question among its gateway's. */
  readonly nonce: number;
  readonly key: string;
}

/** Bytes of a key of the state. */
const keyBytesMax = 1024;
const rootsMax = 8;
const hashBytes = 32;

export function encodeProve({ credential, target, nonce, key }: Prove): Buffer {
  return writeCredential(new Writer(), credential).u16(target).u64(nonce).text(key).done();
}

/** @throws {Malformed} */
export function decodeProve(body: Buffer): Prove {
  const reader = new Reader(body);
  const credential = readCredential(reader);
  const prove = { credential, target: reader.u16(), nonce: reader.u64(), key: reader.text(keyBytesMax) };
  reader.end();
  return prove;
}

/** The answer. The attachment has the proof, which needs no signature of its own; none while no checkpoint is stable. */
export interface Proof {
  readonly nonce: number;
}

export function encodeProof({ nonce }: Proof): Buffer {
  return new Writer().u64(nonce).done();
}

/** @throws {Malformed} */
export function decodeProof(body: Buffer): Proof {
  const reader = new Reader(body);
  const proof = { nonce: reader.u64() };
  reader.end();
  return proof;
}

/** What a proof of state is made of, as replicas hand it out. */
export interface ProofParts {
  readonly sequence: number;
  readonly time: number;
  readonly roots: readonly Buffer[];
  readonly signatures: readonly Signed[];
  /** Of the entries in the key's place, one after the other. */
  readonly hashes: Buffer;
  /** Beside the way to the root, one after the other. */
  readonly path: Buffer;
  readonly isFound: boolean;
  /** Encoded entries: the key's own, or its neighbours, each of which may be missing. */
  readonly entries: readonly (Buffer | undefined)[];
}

/** u64 sequence ‖ u64 time ‖ roots ‖ signatures ‖ blob hashes ‖ blob path ‖ u8 found ‖ entries (u8 there ‖ blob). */
export function encodeProofParts(parts: ProofParts): Buffer {
  const writer = new Writer().u64(parts.sequence).u64(parts.time);
  writer.list(parts.roots, (root) => writer.raw(root));
  writeSignatures(writer, parts.signatures);
  writer
    .blob(parts.hashes)
    .blob(parts.path)
    .u8(parts.isFound ? 1 : 0);
  return writer
    .list(parts.entries, (entry) => writer.u8(entry === undefined ? 0 : 1).blob(entry ?? Buffer.alloc(0)))
    .done();
}

/** @throws {Malformed} */
export function decodeProofParts(attachment: Buffer): ProofParts {
  const reader = new Reader(attachment);
  const [sequence, time] = [reader.u64(), reader.u64()];
  const roots = reader.list(rootsMax, () => reader.take(hashBytes));
  const signatures = readSignatures(reader);
  const [hashes, path] = [reader.blob(frameBytesMax), reader.blob(frameBytesMax)];
  demand(hashes.length % hashBytes === 0 && path.length % hashBytes === 0, 'no list of hashes');
  const isFound = readFlag(reader);
  const entries = reader.list(2, () => {
    const isThere = readFlag(reader);
    const bytes = reader.blob(limits.operationBytesMax + keyBytesMax);
    return isThere ? bytes : undefined;
  });
  demand(entries.length === (isFound ? 1 : 2), 'not the entries of a proof');
  reader.end();
  return { sequence, time, roots, signatures, hashes, path, isFound, entries };
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  demand(flag <= 1, 'neither yes nor no');
  return flag === 1;
}
