import type { Promised } from '../pbft/messages.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';

/** Promises that outlive a replica which a test or a simulator crashes, as a data folder does. */
export class MemoryPromiseKeeper implements PromiseKeeper {
  settled = 0;
  private promises: Promised[] = [];

  keep(promises: readonly Promised[]): void {
    this.promises.push(...promises);
  }

  read(): readonly Promised[] {
    return this.promises;
  }

  forget(upTo: number): void {
    this.settled = Math.max(this.settled, upTo);
    const views = this.promises.filter(({ kind }) => kind === 'view-change').sort((a, b) => b.view - a.view);
    this.promises = [...views.slice(0, 1), ...this.promises.filter(({ sequence }) => sequence > upTo)];
  }
}
