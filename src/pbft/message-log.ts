import { Slot } from './slot.js';
import type { SequenceNumber } from './types.js';

/** The slots between the water marks. Votes for what lies below, or too far ahead, find none, so its size is bounded. */
export class MessageLog {
  private readonly slots = new Map<SequenceNumber, Slot>();

  get(sequence: SequenceNumber): Slot | undefined {
    return this.slots.get(sequence);
  }

  /** The slot of `sequence`, made when it is not there yet. The caller has checked the window. */
  open(sequence: SequenceNumber): Slot {
    let slot = this.slots.get(sequence);
    if (slot === undefined) {
      slot = new Slot(sequence);
      this.slots.set(sequence, slot);
    }
    return slot;
  }

  drop(sequence: SequenceNumber): void {
    this.slots.delete(sequence);
  }

  /** Forgets everything up to and including `sequence` (paper §4.3). */
  dropUpTo(sequence: SequenceNumber): void {
    for (const place of this.slots.keys()) if (place <= sequence) this.slots.delete(place);
  }

  values(): IterableIterator<Slot> {
    return this.slots.values();
  }

  get size(): number {
    return this.slots.size;
  }
}
