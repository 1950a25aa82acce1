import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { digest, sequence, view } from '../pbft/types.js';
import { promisedView, type Promised } from '../pbft/messages.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';
import { writeDurably } from './data-folder.js';

const kinds = ['pre-prepare', 'prepare', 'commit', 'view-change'] as const;
/** The record that says up to where promises were forgotten; its view and digest are 0. */
const settledCode = kinds.length;
const recordBytes = 1 + 8 + 8 + 32;
/** Beyond this size the file is written anew with what still matters. */
const fileBytesMax = 1024 * 1024;

/**
 * Promises in a file of fixed records. Appending is a plain write without fsync: it survives the process's death at any
 * moment, at a few microseconds a turn. A machine that loses power can lose the last records; then the log in Redis,
 * which has the same votes, speaks for them. Both must be lost or rolled back for an amnesia to go unnoticed.
 */
export class PromiseFile implements PromiseKeeper {
  settled: number;
  isLost: boolean;
  private promises: Promised[];
  private file: number | undefined;
  private size: number;

  /** A new identity has promised nothing yet: to be told before its key is there, so that a missing file means a lost one. */
  static begin(path: string): void {
    if (!existsSync(path)) writeDurably(path, Buffer.alloc(0));
  }

  constructor(private readonly path: string) {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    this.promises = decode(bytes);
    this.settled = settledIn(bytes);
    this.forget(this.settled); // appending leaves what was forgotten in the file
    this.size = 0;
    this.isLost = !existsSync(path);
    if (!this.isLost) this.file = this.rewrite();
  }

  keep(promises: readonly Promised[]): void {
    if (promises.length === 0) return;
    if (this.file === undefined) throw new Error('promises cannot be kept before those that were lost are recalled');
    if (this.size > fileBytesMax) {
      closeSync(this.file);
      this.file = this.rewrite();
    }
    const bytes = Buffer.concat(promises.map(encode));
    for (let written = 0; written < bytes.length;) written += writeSync(this.file, bytes, written);
    this.size += bytes.length;
    this.promises.push(...promises);
  }

  read(): readonly Promised[] {
    return this.promises;
  }

  recall(settled: number, asked: number): void {
    this.settled = settled;
    this.promises = [promisedView(view(asked))];
    this.file = this.rewrite();
    this.isLost = false;
  }

  forget(upTo: number): void {
    this.settled = Math.max(this.settled, upTo);
    const views = this.promises.filter(({ kind }) => kind === 'view-change').sort((a, b) => b.view - a.view);
    this.promises = [...views.slice(0, 1), ...this.promises.filter(({ sequence: place }) => place > upTo)];
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
  }

  /** Writes what still matters into a new file and opens it for appending. */
  private rewrite(): number {
    const settled = recordOf(settledCode, 0, this.settled, '0'.repeat(64));
    const bytes = Buffer.concat([settled, ...this.promises.map(encode)]);
    writeDurably(this.path, bytes);
    this.size = bytes.length;
    return openSync(this.path, 'a', 0o600);
  }
}

function encode({ kind, view: said, sequence: place, digest: hash }: Promised): Buffer {
  return recordOf(kinds.indexOf(kind), said, place, hash);
}

function recordOf(code: number, said: number, place: number, hash: string): Buffer {
  const record = Buffer.allocUnsafe(recordBytes);
  record.writeUInt8(code, 0);
  record.writeBigUInt64BE(BigInt(said), 1);
  record.writeBigUInt64BE(BigInt(place), 9);
  record.write(hash, 17, 'hex');
  return record;
}

function settledIn(bytes: Buffer): number {
  let settled = 0;
  for (let offset = 0; offset + recordBytes <= bytes.length; offset += recordBytes) {
    if (bytes.readUInt8(offset) !== settledCode) continue;
    settled = Math.max(settled, Number(bytes.readBigUInt64BE(offset + 9)));
  }
  return settled;
}

/** A last record that a crash cut off was never acted upon. */
function decode(bytes: Buffer): Promised[] {
  const promises: Promised[] = [];
  for (let offset = 0; offset + recordBytes <= bytes.length; offset += recordBytes) {
    const kind = kinds[bytes.readUInt8(offset)];
    if (kind === undefined) continue;
    promises.push({
      kind,
      view: view(Number(bytes.readBigUInt64BE(offset + 1))),
      sequence: sequence(Number(bytes.readBigUInt64BE(offset + 9))),
      digest: digest(bytes.toString('hex', offset + 17, offset + recordBytes)),
    });
  }
  return promises;
}
