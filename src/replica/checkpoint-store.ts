import type { Digest } from '../pbft/types.js';
import type { LogPlace, Removal } from '../ports/message-log.js';
import { HashTree } from '../state-machine/hash-tree.js';
import type { Item } from '../state-machine/merkle-map.js';
import type { CheckpointedState, StateSnapshot } from './checkpointed-state.js';
import { encodeStoredRecord, fieldOf, ownFields } from './state-fields.js';

/** Bytes that are written in a piece, and what each field counts besides: so that storing a checkpoint does not show. */
const pieceBytes = 32 * 1024;
const fieldOverheadBytes = 64;
/** Fields that are removed in a piece, or one more: a key that is gone leaves two, */
const removalsMax = 256;
/** and changes that are looked at: of many new keys nothing is removed, however many there are. */
const changesMax = 1024;

/** What a turn takes: a `TurnBuilder`, whose turns are carried out whole and in their order. */
export interface StoreOutput {
  write(place: LogPlace, field: string, value: Uint8Array): void;
  remove(removal: Removal): void;
}

/** What was found in the store at the start (checkpoint-loader.ts). */
export interface StoredState {
  /** The state that is stored; released by the store. */
  readonly snapshot: StateSnapshot;
  readonly proof: readonly Buffer[];
  /** For each part: of which generation a key's field is. */
  readonly generations: readonly Map<string, number>[];
  /** Fields that do not count any more, in the order in which they may go. */
  readonly stale: readonly string[];
}

/** A checkpoint, and the CHECKPOINT frames of q replicas that vouch for it. */
interface Proven {
  readonly snapshot: StateSnapshot;
  readonly proof: readonly Buffer[];
}

interface Change {
  readonly part: number;
  readonly key: string;
  /** `undefined`: the key is no longer there. */
  readonly item: Item | undefined;
}

const nothing = Buffer.alloc(0);
const emptyTree = new HashTree();

/**
 * Keeps the newest stable checkpoint in the log's hash `state`, by writing what has changed since the one that is there.
 * Three steps, each in pieces:
 *
 * 1. write: the fields of what changed, under the new checkpoint's generation; they do not count yet.
 * 2. commit: one field of the replica's own hash names the new checkpoint, with its proof. Now they count.
 * 3. sweep: the fields that they supersede are removed.
 *
 * A crash after any turn leaves either the old checkpoint or the new one, and fields that do not count, which the next
 * start removes. When a newer checkpoint becomes stable meanwhile, this one is finished first.
 *
 * Call `tick` only when the last turn is out: what it writes must not pile up while Redis is away.
 */
export class CheckpointStore {
  /** What is stored; `undefined`: nothing. */
  private stored: Proven | undefined;
  /** What is being written. */
  private target: Proven | undefined;
  /** What is to be written after it. */
  private waiting: Proven | undefined;
  /** What was stored before, while what it leaves behind is swept. */
  private superseded: Proven | undefined;
  private isSweepDue = false;
  /** Where writing or sweeping goes on. */
  private changes: Iterator<Change> | undefined;
  private generations: readonly Map<string, number>[];
  private stale: string[];
  private isClearDue: boolean;
  private isKeeperNamed = false;

  /** @param keeper this process's own name for itself, which no other has had */
  constructor(
    private readonly state: CheckpointedState,
    private readonly keeper: string,
    found?: StoredState,
  ) {
    this.stored = found;
    this.generations = found?.generations ?? state.parts.map(() => new Map<string, number>());
    this.stale = [...(found?.stale ?? [])];
    this.isClearDue = found === undefined;
  }

  /** Up to here a restart needs no log; 0 when nothing is stored. */
  get sequence(): number {
    return this.stored?.snapshot.head.sequence ?? 0;
  }

  /** Whether nothing is left to do. */
  get isIdle(): boolean {
    const { target, waiting, stale, isClearDue, isSweepDue } = this;
    return target === undefined && waiting === undefined && stale.length === 0 && !isClearDue && !isSweepDue;
  }

  /** A checkpoint is stable: it will be stored, unless it is not, or no longer, kept here, or a newer one is known. */
  onStable(sequence: number, digest: Digest, proof: readonly Buffer[]): void {
    const newest = this.waiting ?? this.target ?? this.stored;
    const snapshot = this.state.snapshotAt(sequence, digest);
    if (snapshot === undefined || sequence <= (newest?.snapshot.head.sequence ?? 0)) return;
    this.waiting?.snapshot.release();
    this.waiting = { snapshot: snapshot.retain(), proof };
  }

  /**
   * Whether the replica's own hash, read back while no turn was under way, lacks what was committed: whoever runs Redis has
   * deleted it, or set it back. Everything is then written anew.
   */
  onReadBack(own: Readonly<Record<string, Buffer>>): boolean {
    const expected = this.stored === undefined ? nothing : recordOf(this.stored);
    const isKept =
      own[ownFields.keeper]?.toString() === this.keeper && own[ownFields.stored]?.equals(expected) === true;
    if (this.isClearDue || !this.isKeeperNamed || isKept) return false;
    const newest = this.waiting ?? this.target ?? this.stored;
    for (const held of this.held()) if (held !== newest) held.snapshot.release();
    this.waiting = newest;
    this.stored = undefined;
    this.target = undefined;
    this.superseded = undefined;
    this.isSweepDue = false;
    this.changes = undefined;
    this.stale = [];
    this.generations = this.state.parts.map(() => new Map<string, number>());
    this.isClearDue = true;
    this.isKeeperNamed = false;
    return true;
  }

  /** What is being written or swept is begun again: the turns that it was in may be lost, though they were carried out. */
  writeAgain(): void {
    this.changes = undefined;
  }

  /** Does the next piece, if there is anything to do. */
  tick(out: StoreOutput): void {
    if (!this.isKeeperNamed) this.nameKeeper(out);
    if (this.isClearDue) this.clear(out);
    else if (this.stale.length > 0) this.removeStale(out);
    else if (this.isSweepDue && this.stored !== undefined) this.sweep(out, this.stored);
    else this.write(out);
  }

  /** Lets go of everything. */
  close(): void {
    for (const { snapshot } of this.held()) snapshot.release();
    this.stored = undefined;
    this.target = undefined;
    this.waiting = undefined;
    this.superseded = undefined;
  }

  private held(): Proven[] {
    return [this.superseded, this.stored, this.target, this.waiting].filter((held) => held !== undefined);
  }

  private nameKeeper(out: StoreOutput): void {
    out.write('replica', ownFields.keeper, Buffer.from(this.keeper));
    this.isKeeperNamed = true;
  }

  /** Nothing that is there counts. */
  private clear(out: StoreOutput): void {
    out.write('replica', ownFields.stored, nothing);
    out.remove({ place: 'state', fields: 'all' });
    this.isClearDue = false;
  }

  private removeStale(out: StoreOutput): void {
    out.remove({ place: 'state', fields: this.stale.splice(0, removalsMax) });
  }

  private write(out: StoreOutput): void {
    if (this.target === undefined) {
      this.target = this.waiting;
      this.waiting = undefined;
    }
    const { target } = this;
    if (target === undefined) return;
    this.changes ??= changesBetween(this.stored?.snapshot, target.snapshot);
    const { sequence } = target.snapshot.head;
    for (let bytes = 0; bytes < pieceBytes;) {
      const next = this.changes.next();
      if (next.done === true) {
        this.commit(target, out);
        return;
      }
      const { part, key, item } = next.value;
      const field = fieldOf(part, sequence, key);
      const value = (item && this.state.parts[part]?.encode(item)) ?? nothing;
      out.write('state', field, value);
      bytes += field.length + value.length + fieldOverheadBytes;
    }
  }

  private commit(target: Proven, out: StoreOutput): void {
    out.write('replica', ownFields.stored, recordOf(target));
    this.superseded = this.stored;
    this.stored = target;
    this.target = undefined;
    this.isSweepDue = true;
    this.changes = undefined;
  }

  /** Goes through the same changes once more. */
  private sweep(out: StoreOutput, { snapshot }: Proven): void {
    this.changes ??= changesBetween(this.superseded?.snapshot, snapshot);
    const { sequence } = snapshot.head;
    const fields: string[] = [];
    for (let looked = 0; looked < changesMax && fields.length < removalsMax; looked++) {
      const next = this.changes.next();
      if (next.done === true) {
        this.changes = undefined;
        this.isSweepDue = false;
        this.superseded?.snapshot.release();
        this.superseded = undefined;
        break;
      }
      const { part, key, item } = next.value;
      const generations = this.generations[part];
      const before = generations?.get(key);
      // A sweep that is begun again meets what it has swept: that key's field is of this generation now.
      if (before !== undefined && before !== sequence) fields.push(fieldOf(part, before, key));
      if (item === undefined) {
        fields.push(fieldOf(part, sequence, key)); // after what it hides
        generations?.delete(key);
      } else {
        generations?.set(key, sequence);
      }
    }
    if (fields.length > 0) out.remove({ place: 'state', fields });
  }
}

function recordOf({ snapshot, proof }: Proven): Buffer {
  const { sequence, time } = snapshot.head;
  return encodeStoredRecord({ sequence, time, proof });
}

/** What must be written over the one state to have the other. */
function* changesBetween(
  before: StateSnapshot | undefined,
  now: StateSnapshot,
): Generator<Change, undefined, undefined> {
  for (const [part, to] of now.parts.entries()) {
    const from = before?.parts[part];
    for (const bucket of to.differing(from ?? emptyTree)) {
      const gone = new Map((from?.itemsOf(bucket) ?? []).map((item) => [item.key, item]));
      for (const item of to.itemsOf(bucket)) {
        const { key } = item;
        if (gone.get(key)?.hash !== item.hash) yield { part, key, item };
        gone.delete(key);
      }
      for (const key of gone.keys()) yield { part, key, item: undefined };
    }
  }
  return undefined;
}
