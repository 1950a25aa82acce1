import type { Promised } from '../pbft/messages.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';

/** Promises that outlive a replica which a test or a simulator crashes, as a data folder does. */
export class MemoryPromiseKeeper implements PromiseKeeper {
  private promises: Promised[] = [];

  keep(promises: readonly Promised[]): void {
    this.promises.push(...promises);
  }

  read(): readonly Promised[] {
    return this.promises;
  }

  forget(upTo: number): void {
    this.promises = this.promises.filter((promise) => promise.sequence > upTo);
  }
}
