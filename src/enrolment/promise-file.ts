import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { QuorateError } from '../errors.js';
import { digest, sequence, view } from '../pbft/types.js';
import { promisedView } from '../pbft/messages.js';
import type { KeptPromise, PromiseKeeper } from '../ports/promise-keeper.js';
import { writeDurably } from './data-folder.js';

const kinds = ['pre-prepare', 'prepare', 'commit', 'view-change'] as const;
/** The record that says up to where promises were forgotten; its view and digest are 0. */
const settledCode = kinds.length;
/** The record with which the file begins: its view says in what format the proofs are, which hold the signatures of votes. */
const formatCode = settledCode + 1;
const format = 3;
const recordBytes = 1 + 8 + 8 + 32 + 2;
const noDigest = '0'.repeat(64);
/** When so much was appended, the file is written anew with what still matters. */
const appendedBytesMax = 1024 * 1024;

/**
 * Promises in a file of records: kind, view, sequence number, digest, and the length of a proof and the proof. Appending
 * is a plain write without fsync: it survives the process's death at any moment, at a few microseconds a turn. A machine
 * that loses power can lose the last records; then the log in Redis, which has the same votes, speaks for them. Both
 * must be lost or rolled back for an amnesia to go unnoticed.
 */
export class PromiseFile implements PromiseKeeper {
  settled: number;
  isLost: boolean;
  private promises: KeptPromise[];
  private file: number | undefined;
  private appended = 0;

  /** A new identity has promised nothing yet: to be told before its key is there, so that a missing file means a lost one. */
  static begin(path: string): void {
    if (!existsSync(path)) writeDurably(path, Buffer.alloc(0));
  }

  /** @throws {QuorateError} `state-format` when another release has written the file, which is left as it is */
  constructor(private readonly path: string) {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    assertReadable(bytes);
    this.promises = decode(bytes);
    this.settled = settledIn(bytes);
    this.forget(this.settled); // appending leaves what was forgotten in the file
    this.isLost = !existsSync(path);
    if (!this.isLost) this.file = this.rewrite();
  }

  keep(promises: readonly KeptPromise[]): void {
    if (promises.length === 0) return;
    if (this.file === undefined) throw new Error('promises cannot be kept before those that were lost are recalled');
    if (this.appended > appendedBytesMax) {
      closeSync(this.file);
      this.file = this.rewrite();
    }
    this.append(Buffer.concat(promises.map(encode)));
    this.promises.push(...promises);
  }

  read(): readonly KeptPromise[] {
    return this.promises;
  }

  recall(settled: number, asked: number): void {
    this.settled = settled;
    this.promises = [promisedView(view(asked))];
    this.file = this.rewrite();
    this.isLost = false;
  }

  forget(upTo: number): void {
    if (upTo > this.settled) {
      this.settled = upTo;
      this.append(recordOf(settledCode, 0, upTo, noDigest));
    }
    const views = this.promises.filter(({ kind }) => kind === 'view-change').sort((a, b) => b.view - a.view);
    this.promises = [...views.slice(0, 1), ...this.promises.filter(({ sequence: place }) => place > upTo)];
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
  }

  private append(bytes: Buffer): void {
    if (this.file === undefined) return; // what is read is written anew as a whole
    for (let written = 0; written < bytes.length;) written += writeSync(this.file, bytes, written);
    this.appended += bytes.length;
  }

  /** Writes what still matters into a new file and opens it for appending. */
  private rewrite(): number {
    const settled = recordOf(settledCode, 0, this.settled, noDigest);
    const bytes = Buffer.concat([recordOf(formatCode, format, 0, noDigest), settled, ...this.promises.map(encode)]);
    writeDurably(this.path, bytes);
    this.appended = 0;
    return openSync(this.path, 'a', 0o600);
  }
}

/** What was promised must not be read as nothing: votes would be given a second time. */
function assertReadable(bytes: Buffer): void {
  const [first] = recordsIn(bytes);
  if (first === undefined) return;
  const found = first.readUInt8(0) === formatCode ? Number(first.readBigUInt64BE(1)) : 'of an earlier release';
  if (found === format) return;
  const message = `the promises in the data folder have format ${found}, and this release reads format ${format}. Run the release that has written them`;
  throw new QuorateError('state-format', message, { format: found, expected: format });
}

function encode({ kind, view: said, sequence: place, digest: hash, proof }: KeptPromise): Buffer {
  return recordOf(kinds.indexOf(kind), said, place, hash, proof);
}

function recordOf(code: number, said: number, place: number, hash: string, proof: Buffer = Buffer.alloc(0)): Buffer {
  const record = Buffer.allocUnsafe(recordBytes + proof.length);
  record.writeUInt8(code, 0);
  record.writeBigUInt64BE(BigInt(said), 1);
  record.writeBigUInt64BE(BigInt(place), 9);
  record.write(hash, 17, 'hex');
  record.writeUInt16BE(proof.length, 49);
  proof.copy(record, recordBytes);
  return record;
}

function settledIn(bytes: Buffer): number {
  return recordsIn(bytes)
    .filter((record) => record.readUInt8(0) === settledCode)
    .reduce((settled, record) => Math.max(settled, Number(record.readBigUInt64BE(9))), 0);
}

function decode(bytes: Buffer): KeptPromise[] {
  return recordsIn(bytes).flatMap((record) => {
    const kind = kinds[record.readUInt8(0)];
    if (kind === undefined) return [];
    const proof = record.subarray(recordBytes);
    return {
      kind,
      view: view(Number(record.readBigUInt64BE(1))),
      sequence: sequence(Number(record.readBigUInt64BE(9))),
      digest: digest(record.toString('hex', 17, 49)),
      ...(proof.length > 0 && { proof }),
    };
  });
}

/** A last record that a crash cut off was never acted upon. */
function recordsIn(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let offset = 0; offset + recordBytes <= bytes.length;) {
    const end = offset + recordBytes + bytes.readUInt16BE(offset + 49);
    if (end <= bytes.length) records.push(bytes.subarray(offset, end));
    offset = end;
  }
  return records;
}
