import type { Channel, Publication } from '../ports/bus.js';
import type { LogPlace, LogWrite, Removal } from '../ports/message-log.js';
import type { Turn } from '../ports/outbox.js';
import { packets } from '../wire/packets.js';

/**
 * Collects what one turn of the event loop removes, writes and says: one hash write for each place, one packet for each
 * channel. A turn's removals are carried out before its writes, so what is removed after it was written is not written,
 * and what is written after it was removed stays.
 */
export class TurnBuilder {
  private readonly writes = new Map<LogPlace, Map<string, Uint8Array>>();
  private readonly frames = new Map<Channel, Buffer[]>();
  private readonly removedPlaces = new Set<number>();
  private readonly removedFields = new Set<string>();
  private isStateRemoved = false;
  /** Bytes collected so far. */
  bytes = 0;
  /** Grows with everything that is added. */
  revision = 0;

  get isEmpty(): boolean {
    const isNothingRemoved = this.removedPlaces.size === 0 && this.removedFields.size === 0 && !this.isStateRemoved;
    return isNothingRemoved && this.writes.size === 0 && this.frames.size === 0;
  }

  write(place: LogPlace, field: string, value: Uint8Array): void {
    this.revision++;
    const fields = this.writes.get(place) ?? new Map<string, Uint8Array>();
    fields.set(field, value);
    this.writes.set(place, fields);
    this.bytes += value.length;
  }

  /** Removes the whole hash of a sequence number; fields of the state's, or all of them. */
  remove(removal: Removal): void {
    this.revision++;
    if (removal.place !== 'state') {
      this.writes.delete(removal.place);
      this.removedPlaces.add(removal.place);
    } else if (removal.fields === 'all') {
      this.writes.delete('state');
      this.removedFields.clear();
      this.isStateRemoved = true;
    } else {
      for (const field of removal.fields) this.removeField(field);
    }
  }

  publish(channel: Channel, frame: Buffer): void {
    this.revision++;
    const frames = this.frames.get(channel) ?? [];
    frames.push(frame);
    this.frames.set(channel, frames);
    this.bytes += frame.length;
  }

  /** What is to be said, as a turn of its own: what is to be written waits for a later one. */
  takePublications(): Turn {
    const publications = this.publications();
    for (const frames of this.frames.values()) for (const frame of frames) this.bytes -= frame.length;
    this.frames.clear();
    return { removals: [], writes: [], publications };
  }

  /** Whether there is something to be said. */
  get hasPublications(): boolean {
    return this.frames.size > 0;
  }

  /** The turn, and an empty builder again. */
  take(): Turn {
    const removals = this.removals();
    const writes: LogWrite[] = [];
    for (const [place, fields] of this.writes) writes.push({ place, fields });
    const publications = this.publications();
    this.removedPlaces.clear();
    this.removedFields.clear();
    this.isStateRemoved = false;
    this.writes.clear();
    this.frames.clear();
    this.bytes = 0;
    return { removals, writes, publications };
  }

  private publications(): Publication[] {
    const publications: Publication[] = [];
    for (const [channel, frames] of this.frames) publications.push(...packets(channel, frames));
    return publications;
  }

  private removeField(field: string): void {
    const written = this.writes.get('state');
    if (written?.delete(field) === true && written.size === 0) this.writes.delete('state');
    this.removedFields.add(field);
    this.bytes += field.length;
  }

  private removals(): Removal[] {
    const removals: Removal[] = [...this.removedPlaces].map((place) => ({ place }));
    if (this.isStateRemoved) removals.push({ place: 'state', fields: 'all' });
    if (this.removedFields.size > 0) removals.push({ place: 'state', fields: [...this.removedFields] });
    return removals;
  }
}
