import { Slot } from './slot.js';
import type { SequenceNumber, View } from './types.js';

/**
 * The slots between the last executed sequence number and the high water mark. Its size is bounded by that window:
 * votes for what is executed, or too far ahead, find no slot.
 */
export class MessageLog {
  private readonly slots = new Map<SequenceNumber, Slot>();

  get(sequence: SequenceNumber): Slot | undefined {
    return this.slots.get(sequence);
  }

  /** The slot of `sequence`, made when it is not there yet. The caller has checked the window. */
  open(view: View, sequence: SequenceNumber): Slot {
    let slot = this.slots.get(sequence);
    if (slot === undefined) {
      slot = new Slot(view, sequence);
      this.slots.set(sequence, slot);
    }
    return slot;
  }

  drop(sequence: SequenceNumber): void {
    this.slots.delete(sequence);
  }

  values(): IterableIterator<Slot> {
    return this.slots.values();
  }

  get size(): number {
    return this.slots.size;
  }
}
