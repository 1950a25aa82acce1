import type { FaultKind } from './fault-kinds.js';

/** How often each kind of fault happened. */
export class Tally {
  readonly counts = new Map<FaultKind, number>();

  add(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
