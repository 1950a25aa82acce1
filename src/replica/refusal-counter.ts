import { refusalReasons, type RefusalReason } from '../pbft/refusal.js';

/** Counts refusals by reason. Its size is that of the list of reasons. */
export class RefusalCounter {
  private readonly counts = new Map<RefusalReason, number>();

  add(reason: RefusalReason): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }

  /** The reasons that occurred, with how often. */
  entries(): readonly (readonly [RefusalReason, number])[] {
    return refusalReasons.flatMap((reason) => {
      const count = this.counts.get(reason);
      return count === undefined ? [] : [[reason, count] as const];
    });
  }
}
