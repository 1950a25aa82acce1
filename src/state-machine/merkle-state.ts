import { hash } from 'node:crypto';
import { invariant } from '../pbft/invariant.js';
import { digest, type Digest } from '../pbft/types.js';
import type { Json } from '../wire/json.js';
import { Writer } from '../wire/bytes.js';
import { deepFreeze, jsonText } from './json-value.js';
import { OperationRejected, type State } from './state-machine.js';

/** What every replica of a cluster must share, else they would part over the first operation that is beyond a limit. */
export const stateLimits = {
  /** Bytes of a key in UTF-8. */
  keyBytesMax: 1024,
  /** Bytes of a value's canonical JSON. */
  valueBytesMax: 64 * 1024,
  /** Bytes of all entries together, each with its overhead. */
  stateBytesMax: 256 * 1024 * 1024,
  /** What an entry counts besides its key and its value, so that many tiny ones do not fill the memory, either. */
  entryOverheadBytes: 256,
} as const;

/** Leaves of the tree of the state: a key's bucket is the first 14 bits of its SHA-256. */
export const bucketCount = 2 ** 14;

const hashBytes = 32;

// Hashes are kept as 32 Latin-1 characters: node:crypto gives a string in less than half the time of a Buffer.
const bucketPrefix = '\x00';
const nodePrefix = 0x01;
const entryPrefix = 0x02;

/** One key with its value. */
class Entry {
  private frozen: Json | undefined;
  /** SHA-256(0x02 ‖ str key ‖ canonical JSON). */
  readonly hash: string;

  constructor(
    readonly key: string,
    /** Canonical JSON. */
    readonly text: string,
    /** Bytes of key and text, and the overhead. */
    readonly bytes: number,
  ) {
    this.hash = sha256(new Writer().u8(entryPrefix).text(key).raw(Buffer.from(text)).done());
  }

  /** Deeply frozen; made when it is first asked for. */
  get value(): Json {
    this.frozen ??= deepFreeze(JSON.parse(this.text) as Json);
    return this.frozen;
  }
}

/**
 * The replicated state: a map from keys to JSON values with a digest that depends on its content alone, never on how
 * it came about. Only buckets that were written since the last `digest()` are hashed again (rule 24), so that a
 * checkpoint does not stop the world.
 *
 * Writes are possible between `begin` and `commit` or `rollback` only: a state machine that keeps the state and writes
 * to it later, by itself, would part from its peers.
 */
export class MerkleState implements State {
  private readonly buckets = new Map<number, Map<string, Entry>>();
  /** A binary heap of hashes: 1 is the root, `bucketCount + b` is bucket b. */
  private readonly nodes = Buffer.alloc(2 * bucketCount * hashBytes);
  private readonly scratch = Buffer.alloc(1 + 2 * hashBytes);
  /** Buckets that were written since the nodes were last right. */
  private readonly dirty = new Set<number>();
  /** What the transaction's keys held before it; `undefined` when no transaction is open. */
  private undo: Map<string, Entry | undefined> | undefined;
  private bytesHeld = 0;

  constructor(private readonly bytesMax: number = stateLimits.stateBytesMax) {
    // All nodes of one level of the empty tree are equal.
    this.put(bucketCount, hashOfBucket([]));
    for (let first = bucketCount; first >= 1; first /= 2) {
      const level = this.nodes.subarray(first * hashBytes, 2 * first * hashBytes);
      level.fill(Uint8Array.from(level.subarray(0, hashBytes)));
      if (first > 1) this.put(first / 2, this.hashOfNode(first / 2));
    }
  }

  /** Bytes of all entries, as `stateLimits` counts them. */
  get bytes(): number {
    return this.bytesHeld;
  }

  get(key: string): Json | undefined {
    return this.entry(key)?.value;
  }

  has(key: string): boolean {
    return this.entry(key) !== undefined;
  }

  /**
   * @throws {OperationRejected} `invalid-key`, `key-too-long`, `value-too-large`, `value-too-deep`, `state-full`
   * @throws {TypeError} when `value` is no JSON, or no operation is being executed
   */
  set(key: string, value: Json): void {
    const keyBytes = bytesOfKey(key);
    const json = jsonText(value, stateLimits.valueBytesMax);
    if (json === 'not-json') throw new TypeError('only JSON values can be stored');
    if (json === 'too-deep') throw new OperationRejected('value-too-deep', 'the value is nested too deep');
    if (json === 'too-large') {
      throw new OperationRejected('value-too-large', `a value has at most ${String(stateLimits.valueBytesMax)} bytes`);
    }
    const entry = new Entry(key, json.text, keyBytes + json.bytes + stateLimits.entryOverheadBytes);
    this.write(key, entry);
  }

  /** @throws {TypeError} when no operation is being executed */
  delete(key: string): boolean {
    return this.write(key, undefined) !== undefined;
  }

  /** Opens a transaction: the writes of one operation. */
  begin(): void {
    invariant(this.undo === undefined, 'a transaction is open already');
    this.undo = new Map();
  }

  /** Ends the transaction and keeps its writes. */
  commit(): void {
    invariant(this.undo !== undefined, 'no transaction is open');
    this.undo = undefined;
  }

  /** Ends the transaction as if it had not been. */
  rollback(): void {
    const { undo } = this;
    invariant(undo !== undefined, 'no transaction is open');
    for (const [key, entry] of undo) this.place(bucketOf(key), key, entry);
    this.undo = undefined;
  }

  /** The root over all buckets. Costs about the number of entries in the buckets written since it was last asked for. */
  digest(): Digest {
    let level = new Set<number>();
    for (const bucket of this.dirty) {
      const place = bucketCount + bucket;
      this.put(place, hashOfBucket(this.entriesOf(bucket)));
      level.add(place >>> 1);
    }
    this.dirty.clear();
    for (let first = bucketCount / 2; first >= 1; first /= 2) {
      const above = new Set<number>();
      for (const place of level) {
        this.put(place, this.hashOfNode(place));
        above.add(place >>> 1);
      }
      level = above;
    }
    return digest(this.nodes.toString('hex', hashBytes, 2 * hashBytes));
  }

  /**
   * A bucket's entries in the order of their keys (by UTF-16 code units): what a snapshot is made of.
   * `hash` is 32 Latin-1 characters.
   */
  entriesOf(bucket: number): readonly { readonly key: string; readonly text: string; readonly hash: string }[] {
    return [...(this.buckets.get(bucket)?.values() ?? [])].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  private put(place: number, hash: string): void {
    this.nodes.write(hash, place * hashBytes, 'latin1');
  }

  /** SHA-256(0x01 ‖ left child ‖ right child), the children lying side by side. */
  private hashOfNode(place: number): string {
    this.scratch[0] = nodePrefix;
    this.nodes.copy(this.scratch, 1, 2 * place * hashBytes, 2 * (place + 1) * hashBytes);
    return sha256(this.scratch);
  }

  private entry(key: string): Entry | undefined {
    return this.buckets.get(bucketOf(key))?.get(key);
  }

  /** @returns what was there before. */
  private write(key: string, entry: Entry | undefined): Entry | undefined {
    if (this.undo === undefined) throw new TypeError('the state can be written only while an operation is executed');
    const bucket = bucketOf(key);
    const before = this.buckets.get(bucket)?.get(key);
    const growth = (entry?.bytes ?? 0) - (before?.bytes ?? 0);
    if (growth > 0 && this.bytesHeld + growth > this.bytesMax) {
      throw new OperationRejected('state-full', `the state has at most ${String(this.bytesMax)} bytes`);
    }
    if (!this.undo.has(key)) this.undo.set(key, before);
    this.place(bucket, key, entry);
    return before;
  }

  private place(bucket: number, key: string, entry: Entry | undefined): void {
    const entries = this.buckets.get(bucket) ?? new Map<string, Entry>();
    this.bytesHeld += (entry?.bytes ?? 0) - (entries.get(key)?.bytes ?? 0);
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    if (entries.size === 0) this.buckets.delete(bucket);
    else this.buckets.set(bucket, entries);
    this.dirty.add(bucket);
  }
}

function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary'); // which is Latin-1
}

function bucketOf(key: string): number {
  return Number.parseInt(hash('sha256', key, 'hex').slice(0, 4), 16) >>> 2;
}

/** SHA-256(0x00 ‖ the hashes of the entries in the order of their keys). */
function hashOfBucket(entries: readonly { readonly hash: string }[]): string {
  return sha256(Buffer.from(bucketPrefix + entries.map((entry) => entry.hash).join(''), 'latin1'));
}

function bytesOfKey(key: unknown): number {
  if (typeof key !== 'string' || /\p{Surrogate}/u.test(key)) {
    throw new OperationRejected('invalid-key', 'a key is well-formed Unicode text');
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > stateLimits.keyBytesMax) {
    throw new OperationRejected('key-too-long', `a key has at most ${String(stateLimits.keyBytesMax)} bytes of UTF-8`);
  }
  return bytes;
}
