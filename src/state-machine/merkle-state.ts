import { invariant } from '../pbft/invariant.js';
import type { Digest } from '../pbft/types.js';
import { Reader, Writer } from '../wire/bytes.js';
import type { Json } from '../wire/json.js';
import { sha256Latin1 } from './hash-tree.js';
import { deepFreeze, jsonText, type JsonText } from './json-value.js';
import { MerkleMap, type Item } from './merkle-map.js';
import { OperationRejected, type State } from './state-machine.js';

/** What every replica of a cluster must share, else they would part over the first operation that is beyond a limit. */
export const stateLimits = {
  /** Bytes of a key in UTF-8. */
  keyBytesMax: 1024,
  /** Bytes of a value's canonical JSON. */
  valueBytesMax: 64 * 1024,
  /** Bytes of all entries together, each with its overhead. */
  stateBytesMax: 256 * 1024 * 1024,
  /** Keys of one bucket of the tree, so that the list of their hashes fits in one message (wire/state-transfer.ts). */
  bucketEntriesMax: 65_536,
  /** What an entry counts besides its key and its value, so that many tiny ones do not fill the memory, either. */
  entryOverheadBytes: 256,
} as const;

const entryPrefix = 0x02;
/** Used again and again. */
const hashing = new Writer();

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One key with its value. */
export class Entry implements Item {
  private frozen: Json | undefined;
  private hashed: string | undefined;

  constructor(
    readonly key: string,
    /** Canonical JSON. */
    readonly text: string,
    /** Bytes of key and text, and the overhead. */
    readonly bytes: number,
  ) {}

  /** SHA-256(0x02 ‖ str key ‖ canonical JSON); made when it is first asked for: many are written over before that. */
  get hash(): string {
    this.hashed ??= sha256Latin1(hashing.restart().u8(entryPrefix).text(this.key).utf8(this.text).view());
    return this.hashed;
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
  /** All entries: part 0 of the checkpointed state. Written through this class alone, but for a state that is installed whole. */
  readonly map = new MerkleMap<Entry>();
  private isOpen = false;
  /** What the key that the transaction wrote first held before it: most write one. */
  private undoFirst: { readonly key: string; readonly before: Entry | undefined } | undefined;
  /** The same of its other keys. */
  private undoOthers: Map<string, Entry | undefined> | undefined;

  constructor(private readonly bytesMax: number = stateLimits.stateBytesMax) {}

  /** Bytes of all entries, as `stateLimits` counts them. */
  get bytes(): number {
    return this.map.bytes;
  }

  get(key: string): Json | undefined {
    return this.map.get(key)?.value;
  }

  has(key: string): boolean {
    return this.map.get(key) !== undefined;
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
    this.write(key, entryOf(key, keyBytes, json));
  }

  /** @throws {TypeError} when no operation is being executed */
  delete(key: string): boolean {
    return this.write(key, undefined) !== undefined;
  }

  /** Opens a transaction: the writes of one operation. */
  begin(): void {
    invariant(!this.isOpen, 'a transaction is open already');
    this.isOpen = true;
  }

  /** Ends the transaction and keeps its writes. */
  commit(): void {
    invariant(this.isOpen, 'no transaction is open');
    this.isOpen = false;
    this.undoFirst = undefined;
    this.undoOthers = undefined;
  }

  /** Ends the transaction as if it had not been. */
  rollback(): void {
    const { undoFirst, undoOthers } = this;
    this.commit();
    if (undoFirst !== undefined) this.place(undoFirst.key, undoFirst.before);
    for (const [key, entry] of undoOthers ?? []) this.place(key, entry);
  }

  /** The root over all buckets. Costs about the number of entries in the buckets written since it was last asked for. */
  digest(): Digest {
    return this.map.digest();
  }

  /** An entry's bytes in a transfer and in the store: str key ‖ canonical JSON. */
  encode({ key, text }: Entry): Buffer {
    return new Writer().text(key).raw(Buffer.from(text)).done();
  }

  /** The entry whose encoding these are; `undefined` when there is none. */
  decode(bytes: Buffer): Entry | undefined {
    try {
      const reader = new Reader(bytes);
      const key = reader.text(stateLimits.keyBytesMax);
      const text = strictUtf8.decode(reader.take(bytes.length - reader.position));
      const json = jsonText(JSON.parse(text) as Json, stateLimits.valueBytesMax);
      return typeof json === 'object' && json.text === text ? entryOf(key, bytesOfKey(key), json) : undefined;
    } catch {
      return undefined; // what no state has ever held
    }
  }

  /** @returns what was there before. */
  private write(key: string, entry: Entry | undefined): Entry | undefined {
    if (!this.isOpen) throw new TypeError('the state can be written only while an operation is executed');
    const before = this.map.get(key);
    const growth = (entry?.bytes ?? 0) - (before?.bytes ?? 0);
    if (growth > 0 && this.bytes + growth > this.bytesMax) {
      throw new OperationRejected('state-full', `the state has at most ${String(this.bytesMax)} bytes`);
    }
    if (before === undefined && entry !== undefined && this.map.sizeOfBucketOf(key) >= stateLimits.bucketEntriesMax) {
      throw new OperationRejected('state-full', 'there is no room for more keys whose hashes begin alike');
    }
    this.keepForUndo(key, before);
    this.place(key, entry);
    return before;
  }

  private keepForUndo(key: string, before: Entry | undefined): void {
    this.undoFirst ??= { key, before };
    if (key === this.undoFirst.key) return;
    this.undoOthers ??= new Map();
    if (!this.undoOthers.has(key)) this.undoOthers.set(key, before);
  }

  private place(key: string, entry: Entry | undefined): void {
    if (entry === undefined) this.map.delete(key);
    else this.map.set(entry);
  }
}

function entryOf(key: string, keyBytes: number, json: JsonText): Entry {
  return new Entry(key, json.text, keyBytes + json.bytes + stateLimits.entryOverheadBytes);
}

function bytesOfKey(key: unknown): number {
  if (typeof key !== 'string' || !key.isWellFormed()) {
    throw new OperationRejected('invalid-key', 'a key is well-formed Unicode text');
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > stateLimits.keyBytesMax) {
    throw new OperationRejected('key-too-long', `a key has at most ${String(stateLimits.keyBytesMax)} bytes of UTF-8`);
  }
  return bytes;
}
