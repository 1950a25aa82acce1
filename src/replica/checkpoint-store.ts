import type { Digest } from '../pbft/types.js';
import type { LogPlace, Removal } from '../ports/message-log.js';
import { changesBetween, type Change } from './checkpoint-changes.js';
import type { CheckpointedState, StateSnapshot } from './checkpointed-state.js';
import { encodeStoredRecord, fieldOf, ownFields, parseField, storedBytesMax } from './state-fields.js';

/** Bytes that are written in a piece, and what each field counts besides: so that storing a checkpoint does not show. */
const pieceBytes = 32 * 1024;
const fieldOverheadBytes = 64;
/** Fields that are removed in a piece, or one more: a key that is gone leaves two, */
const removalsMax = 256;
/** and changes that are looked at: of many new keys nothing is removed, however many there are. */
const changesMax = 1024;
/** Fields that are listed before they are removed: whoever runs Redis could have put any number there. */
const listedMax = 65_536;

/** What a turn takes: a `TurnBuilder`, whose turns are carried out whole and in their order. */
export interface StoreOutput {
  write(place: LogPlace, field: string, value: Uint8Array): void;
  remove(removal: Removal): void;
}

/** What was found in the store at the start (checkpoint-loader.ts). */
export interface StoredState {
  /** The state that is stored; released by the store. */
  readonly snapshot: StateSnapshot;
  /** Fields of generations below do not count. */
  readonly since: number;
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

const nothing = Buffer.alloc(0);

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
 * *A Redis may lose what it has acknowledged last*, when it loses power, say, or another takes its place: all from some moment on.
 * Each piece hence has a number, and the last two are kept beside it: who finds both there has all that was written before. After
 * every interruption, before another piece follows the one that was under way then, `onInterrupted` and `onReadBack` are to be
 * called. What is not all there is written anew, beside what is there, which goes on to count until that is done. Pieces that
 * only remove have no number, since a full Redis takes nothing else; they are repeated.
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
  private since: number;
  /** How many pieces were written, and how many when everything was begun anew. */
  private pieces = 0;
  private piecesBefore = 0;
  /**
   * What is to be listed since everything is written anew: first fields above the checkpoint with which that begins, before anything later
   * is written, beside which they would count; then, once it is stored, those below.
   */
  private listing: 'above' | 'below' | undefined;
  /** With that checkpoint. */
  private anewFrom = 0;
  /** Removed since the last piece that has a number, and between that one and the one before; but for what was written since. */
  private removed = new Set<string>();
  private removedBefore = new Set<string>();

  /** @param keeper this process's own name for itself, which no other has had */
  constructor(
    private readonly state: CheckpointedState,
    private readonly keeper: string,
    found?: StoredState,
  ) {
    this.stored = found;
    this.generations = found?.generations ?? state.parts.map(() => new Map<string, number>());
    this.stale = [...(found?.stale ?? [])];
    this.since = found?.since ?? 0;
    this.isClearDue = found === undefined;
  }

  /** Up to here a restart needs no log; 0 when nothing is stored. */
  get sequence(): number {
    return this.stored?.snapshot.head.sequence ?? 0;
  }

  /** Whether fields may lie about whose names are not known: `list` is to be called. */
  get wantsList(): boolean {
    const isTime = this.listing === 'above' || (this.listing === 'below' && this.stored !== undefined);
    return isTime && this.stale.length === 0;
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

  /** What was removed since Redis is known to have everything may be there again. */
  onInterrupted(): void {
    this.stale = [...this.removedBefore, ...this.removed, ...this.stale];
    this.removedBefore = new Set();
    this.removed = new Set();
  }

  /**
   * Whether the replica's own hash, read back while no piece was under way, lacks what was written: Redis has lost it, or whoever
   * runs it has deleted it, or set it back. Everything is then written anew.
   */
  onReadBack(own: Readonly<Record<string, Buffer>>): boolean {
    if (this.isClearDue || this.isKept(own)) return false;
    const newest = this.waiting ?? this.target ?? this.stored;
    for (const held of this.held()) if (held !== newest) held.snapshot.release();
    this.waiting = newest;
    this.stored = undefined;
    this.target = undefined;
    this.superseded = undefined;
    this.isSweepDue = false;
    this.changes = undefined;
    this.stale = [];
    this.removed = new Set();
    this.removedBefore = new Set();
    this.generations = this.state.parts.map(() => new Map<string, number>());
    this.isClearDue = newest === undefined;
    this.listing = newest === undefined ? undefined : 'above';
    this.anewFrom = newest?.snapshot.head.sequence ?? 0;
    this.isKeeperNamed = false;
    this.piecesBefore = this.pieces;
    return true;
  }

  /** @param fields what is there. What does not count goes, so much at once, and then it is to be listed again. */
  async list(fields: AsyncIterable<readonly [field: string, value: Buffer]>): Promise<void> {
    const { listing, anewFrom, since } = this;
    const stale: string[] = [];
    let bytesRead = 0;
    let isWhole = true;
    for await (const [field, value] of fields) {
      bytesRead += field.length + value.length;
      if (this.isLeftOver(field, value)) stale.push(field);
      isWhole = stale.length < listedMax && bytesRead <= storedBytesMax;
      if (!isWhole) break;
    }
    const isAsBefore = this.listing === listing && this.anewFrom === anewFrom && this.since === since;
    if (!this.wantsList || !isAsBefore) return; // lost once more meanwhile
    this.stale = stale;
    if (isWhole || stale.length === 0) this.listing = listing === 'above' ? 'below' : undefined;
  }

  private isLeftOver(field: string, value: Buffer): boolean {
    const generation = parseField(field)?.generation ?? -1;
    if (this.listing === 'above') return generation > this.anewFrom;
    // The generation with which all was written anew has deleted nothing.
    return generation < this.since || (generation === this.since && value.length === 0);
  }

  /** Does the next piece, if there is anything to do. */
  tick(out: StoreOutput): void {
    if (this.isIdle && this.isKeeperNamed) return;
    if (this.listing === 'above' && this.stale.length === 0) return;
    const removesOnly = this.stale.length > 0 || this.isSweepDue;
    if (!removesOnly || !this.isKeeperNamed || this.isClearDue) this.number(out);
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

  private isKept(own: Readonly<Record<string, Buffer>>): boolean {
    const { stored, pieces, piecesBefore } = this;
    const isRecorded = stored === undefined || own[ownFields.stored]?.equals(this.recordOf(stored)) === true;
    const isNamed = !this.isKeeperNamed || own[ownFields.keeper]?.toString() === this.keeper;
    const last = [pieces - 1, pieces].filter((piece) => piece > piecesBefore);
    return isRecorded && isNamed && last.every((piece) => own[pieceField(piece)]?.toString() === this.nameOf(piece));
  }

  private held(): Proven[] {
    return [this.superseded, this.stored, this.target, this.waiting].filter((held) => held !== undefined);
  }

  private number(out: StoreOutput): void {
    out.write('replica', pieceField(++this.pieces), Buffer.from(this.nameOf(this.pieces)));
    this.removedBefore = this.removed;
    this.removed = new Set();
  }

  /** Another process's pieces have the same numbers. */
  private nameOf(piece: number): string {
    return `${this.keeper} ${piece}`;
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
    this.remove(this.stale.splice(0, removalsMax), out);
  }

  private remove(fields: readonly string[], out: StoreOutput): void {
    for (const field of fields) this.removed.add(field);
    out.remove({ place: 'state', fields });
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
      this.removed.delete(field);
      this.removedBefore.delete(field);
      bytes += field.length + value.length + fieldOverheadBytes;
    }
  }

  private commit(target: Proven, out: StoreOutput): void {
    if (this.stored === undefined) this.since = target.snapshot.head.sequence;
    out.write('replica', ownFields.stored, this.recordOf(target));
    this.superseded = this.stored;
    this.stored = target;
    this.target = undefined;
    this.isSweepDue = true;
    this.changes = undefined;
  }

  private recordOf({ snapshot, proof }: Proven): Buffer {
    const { sequence, time } = snapshot.head;
    return encodeStoredRecord({ sequence, time, since: this.since, proof });
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
      if (before !== undefined) fields.push(fieldOf(part, before, key));
      if (item === undefined) {
        fields.push(fieldOf(part, sequence, key)); // after what it hides
        generations?.delete(key);
      } else {
        generations?.set(key, sequence);
      }
    }
    if (fields.length > 0) this.remove(fields, out);
  }
}

const pieceField = (piece: number): string => ownFields.pieces[piece % 2 === 0 ? 0 : 1];
