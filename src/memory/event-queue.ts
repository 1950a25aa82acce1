import type { Channel } from '../ports/bus.js';

/** What is about to happen, for whoever chooses the order. */
export type Happening =
  /** A payload reaches one subscriber. */
  | {
      readonly kind: 'delivery';
      readonly from: string;
      readonly to: string;
      readonly channel: Channel;
      readonly payload: Buffer;
    }
  /** A turn of `from` reaches the store, or the bus, when the two are apart. */
  | { readonly kind: 'turn'; readonly from: string };

interface Pending {
  readonly happening: Happening;
  readonly run: () => void;
}

/** Deliveries that may wait; what comes on top is lost, as a bus may lose it. */
const deliveriesMax = 100_000;

/**
 * Everything that the memory ports have happen later, in the order in which it was asked for. Nothing here knows a clock:
 * `manual` leaves it to a test or a simulator what happens next, `microtask` has it all happen by itself, soon and in order.
 */
export class EventQueue {
  private readonly pending: Pending[] = [];
  private deliveries = 0;
  private isDrainDue = false;
  /** Deliveries that found no room. */
  lost = 0;

  constructor(private readonly mode: 'manual' | 'microtask' = 'manual') {}

  get size(): number {
    return this.pending.length;
  }

  /** What waits, oldest first. */
  get waiting(): readonly Happening[] {
    return this.pending.map(({ happening }) => happening);
  }

  push(happening: Happening, run: () => void): void {
    if (happening.kind === 'delivery') {
      if (this.deliveries >= deliveriesMax) {
        this.lost++;
        return;
      }
      this.deliveries++;
    }
    this.pending.push({ happening, run });
    if (this.mode === 'microtask') this.scheduleDrain();
  }

  /**
   * Has one thing happen: the oldest, or the one at `index` of `waiting`.
   * @returns whether there was one
   */
  runNext(index = 0): boolean {
    const next = this.take(index);
    next?.run();
    return next !== undefined;
  }

  /** Takes one thing out, so that it never happens. */
  drop(index: number): void {
    this.take(index);
  }

  private take(index: number): Pending | undefined {
    const [taken] = this.pending.splice(index, 1);
    if (taken?.happening.kind === 'delivery') this.deliveries--;
    return taken;
  }

  /** One happening in each microtask, so that what it causes keeps its place among the others. */
  private scheduleDrain(): void {
    if (this.isDrainDue) return;
    this.isDrainDue = true;
    queueMicrotask(() => {
      this.isDrainDue = false;
      this.runNext();
      if (this.pending.length > 0) this.scheduleDrain();
    });
  }
}
