import { promisedView } from '../pbft/messages.js';
import { view } from '../pbft/types.js';
import type { KeptPromise, PromiseKeeper } from '../ports/promise-keeper.js';

/** Promises that outlive a replica which a test or a simulator crashes, as a data folder does. */
export class MemoryPromiseKeeper implements PromiseKeeper {
  settled = 0;
  isLost = false;
  private promises: KeptPromise[] = [];

  keep(promises: readonly KeptPromise[]): void {
    this.promises.push(...promises);
  }

  read(): readonly KeptPromise[] {
    return this.promises;
  }

  /** Somebody deletes them. */
  lose(): void {
    this.promises = [];
    this.settled = 0;
    this.isLost = true;
  }

  recall(settled: number, asked: number): void {
    this.settled = settled;
    this.promises = [promisedView(view(asked))];
    this.isLost = false;
  }

  forget(upTo: number): void {
    this.settled = Math.max(this.settled, upTo);
    const views = this.promises.filter(({ kind }) => kind === 'view-change').sort((a, b) => b.view - a.view);
    this.promises = [...views.slice(0, 1), ...this.promises.filter(({ sequence }) => sequence > upTo)];
  }
}
