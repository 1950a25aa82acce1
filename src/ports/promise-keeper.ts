import type { Promised } from '../pbft/messages.js';

/** A promise as it is kept. */
export interface KeptPromise extends Promised {
  /** With a COMMIT: the prepared certificate that it rests on, encoded, so that no lost log can make us deny it. */
  readonly proof?: Buffer;
}

/**
 * Keeps what this identity has promised (its own votes) outside Redis, in its data folder, so that whoever edits,
 * deletes or rolls back the log in Redis cannot make a restarted replica contradict itself (rules 28 and 30).
 */
export interface PromiseKeeper {
  /** Writes promises down, synchronously, before they are on the bus. */
  keep(promises: readonly KeptPromise[]): void;
  /** All promises that may still matter. */
  read(): readonly KeptPromise[];
  /** Up to here promises were forgotten: nothing may be said there again. */
  readonly settled: number;
  /** There were promises, and they are gone: nothing may be promised before `recall`. */
  readonly isLost: boolean;
  /** What was lost may have been anything up to this sequence number, and views up to this one. */
  recall(settled: number, view: number): void;
  /** Votes at or below this sequence number no longer matter, nor views below the highest. */
  forget(upTo: number): void;
}
