import { digestOfCheckpoint, type CheckpointHead } from '../crypto/checkpoint-head.js';
import { invariant } from '../pbft/invariant.js';
import type { Digest } from '../pbft/types.js';
import type { Item, MerkleMap, MerkleSnapshot } from '../state-machine/merkle-map.js';

/*
 * How the pieces fit together (the host's side of rules 12, 23–26 and 28):
 *
 *   const state = new CheckpointedState([merkleState, replyTree]);   // parts 0 and 1
 *   const fetcher = new StateFetcher(state, self);                   // state-fetcher.ts: asks peers, verifies
 *   const server = new StateServer(state);                           // state-server.ts: answers peers
 *   const found = await loadCheckpoint({ log, state, opener, n, … }); // checkpoint-loader.ts: at a start, before anything else
 *   const store = new CheckpointStore(state, incarnation, found);    // checkpoint-store.ts: writes to the log's place 'state'
 *   const collection = new LogCollection(logSize, ownHash);          // collection.ts: which hashes may go
 *
 * - The core takes a checkpoint: `state.freeze(sequence, time).digest`.
 * - It becomes stable: `state.dropBelow(sequence)`, then `store.onStable(…)`, which may need what it holds by then.
 * - The core wants another's: `fetcher.want(…)`. Once `fetcher.transfer` is there: `state.install(transfer)`, read the
 *   replies out of part 1, and step the core with them; all synchronously.
 */

/** What checkpointed state is made of: a map, and the one encoding of its items. */
export interface Part<I extends Item = Item> {
  readonly map: MerkleMap<I>;
  encode(item: I): Buffer;
  /** The item that has this encoding, its hash computed anew; `undefined` when these bytes encode none. Never throws. */
  decode(bytes: Buffer): I | undefined;
}

/** A state that was fetched or read and is verified: `base` with some buckets of its parts replaced. */
export interface Transfer {
  readonly head: CheckpointHead;
  readonly digest: Digest;
  readonly base: StateSnapshot;
  /** For each part: items by bucket, in the order of their keys. */
  readonly replaced: readonly ReadonlyMap<number, readonly Item[]>[];
}

/** Checkpoints that are kept ready at once: the stable one, and those that may become it. */
const checkpointsMax = 8;

/** The state at one moment. Shared: it is let go once everybody who holds it has released it. */
export class StateSnapshot {
  private holders = 1;
  readonly digest: Digest;

  constructor(
    readonly head: CheckpointHead,
    readonly parts: readonly MerkleSnapshot<Item>[],
  ) {
    this.digest = digestOfCheckpoint(head);
  }

  /** One more holder. */
  retain(): this {
    this.holders++;
    return this;
  }

  release(): void {
    invariant(this.holders > 0, 'a snapshot is released too often');
    this.holders--;
    if (this.holders === 0) for (const part of this.parts) part.release();
  }
}

/** The replicated state with its checkpoints: what is agreed on, served to peers, and stored. */
export class CheckpointedState {
  /** The oldest first. */
  private checkpoints: StateSnapshot[] = [];

  constructor(readonly parts: readonly Part[]) {}

  /** Keeps the state as it is now as the checkpoint at `sequence`. */
  freeze(sequence: number, time: number): StateSnapshot {
    this.drop((checkpoint) => checkpoint.head.sequence === sequence);
    const snapshot = this.snapshot(sequence, time);
    this.checkpoints.push(snapshot);
    // The oldest is what everybody has; of those between it and the newest, others may become stable first.
    if (this.checkpoints.length > checkpointsMax) this.checkpoints.splice(1, 1)[0]?.release();
    return snapshot;
  }

  /** The checkpoint at `sequence`, if it is kept, and has that digest. */
  snapshotAt(sequence: number, digest?: Digest): StateSnapshot | undefined {
    const found = this.checkpoints.find(({ head }) => head.sequence === sequence);
    return digest === undefined || found?.digest === digest ? found : undefined;
  }

  /** The state as it is now, which is no checkpoint; the caller releases it. */
  present(): StateSnapshot {
    return this.snapshot(0, 0);
  }

  /** Lets go of the checkpoints below `sequence`. */
  dropBelow(sequence: number): void {
    this.drop(({ head }) => head.sequence < sequence);
  }

  /**
   * Puts the state of a checkpoint in the place of this one, and keeps it as the only checkpoint: what was taken before
   * came from another state.
   */
  install({ head, digest, base, replaced }: Transfer): StateSnapshot {
    this.drop(() => true);
    for (const [index, { map }] of this.parts.entries()) {
      const from = base.parts[index];
      invariant(from !== undefined, 'a transfer lacks a part');
      map.install(from, replaced[index] ?? new Map<number, readonly Item[]>());
    }
    const installed = this.freeze(head.sequence, head.time);
    invariant(installed.digest === digest, 'a state was installed that is not the one that was verified');
    return installed;
  }

  private snapshot(sequence: number, time: number): StateSnapshot {
    const parts = this.parts.map(({ map }) => map.freeze());
    return new StateSnapshot({ sequence, time, roots: parts.map(({ root }) => root) }, parts);
  }

  private drop(isDropped: (checkpoint: StateSnapshot) => boolean): void {
    for (const checkpoint of this.checkpoints.filter(isDropped)) checkpoint.release();
    this.checkpoints = this.checkpoints.filter((checkpoint) => !isDropped(checkpoint));
  }
}
