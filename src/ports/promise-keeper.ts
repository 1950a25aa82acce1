import type { Promised } from '../pbft/messages.js';

/**
 * Keeps what this identity has promised (its own votes) outside Redis, in its data folder, so that whoever edits,
 * deletes or rolls back the log in Redis cannot make a restarted replica contradict itself (rules 28 and 30).
 */
export interface PromiseKeeper {
  /** Writes promises down, synchronously, before they are on the bus. */
  keep(promises: readonly Promised[]): void;
  /** All promises that may still matter. */
  read(): readonly Promised[];
  /** Up to here promises were forgotten: nothing may be said there again. */
  readonly settled: number;
  /** There were promises, and they are gone: nothing may be promised before `recall`. */
  readonly isLost: boolean;
  /** What was lost may have been anything up to this sequence number, and views up to this one. */
  recall(settled: number, view: number): void;
  /** Votes at or below this sequence number no longer matter, nor views below the highest. */
  forget(upTo: number): void;
}
