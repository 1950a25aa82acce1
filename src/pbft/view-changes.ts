import type { ViewChange } from './messages.js';
import type { ReplicaIndex, View } from './types.js';

/** The VIEW-CHANGE of the highest view of each replica: one for each, so it is bounded by n. */
export class ViewChanges {
  private readonly latest = new Map<ReplicaIndex, ViewChange>();

  /** @returns whether it is the sender's first for that view, and for none lower than one that it sent before. */
  add(message: ViewChange): boolean {
    const known = this.latest.get(message.replica);
    if (known !== undefined && known.view >= message.view) return false;
    this.latest.set(message.replica, message);
    return true;
  }

  /** Those for exactly this view. */
  for(view: View): readonly ViewChange[] {
    return [...this.latest.values()].filter((message) => message.view === view);
  }

  /** How many replicas ask for this view or a higher one. */
  countFrom(view: View): number {
    return [...this.latest.values()].filter((message) => message.view >= view).length;
  }

  of(replica: ReplicaIndex): ViewChange | undefined {
    return this.latest.get(replica);
  }

  /** The views above `view` that replicas ask for, ascending, one entry for each replica. */
  viewsAbove(view: View): readonly View[] {
    return [...this.latest.values()]
      .map((message) => message.view)
      .filter((asked) => asked > view)
      .sort((a, b) => a - b);
  }
}
