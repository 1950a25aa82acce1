import type { Channel } from '../ports/bus.js';
import type { LogWrite } from '../ports/message-log.js';
import type { Turn } from '../ports/outbox.js';
import { packets } from '../wire/packets.js';

/** Collects what one turn of the event loop writes and says: one hash write for each place, one packet for each channel. */
export class TurnBuilder {
  private readonly writes = new Map<number | 'replica', Record<string, Uint8Array>>();
  private readonly frames = new Map<Channel, Buffer[]>();
  /** Bytes collected so far. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.writes.size === 0 && this.frames.size === 0;
  }

  write(place: number | 'replica', field: string, value: Uint8Array): void {
    const fields = this.writes.get(place) ?? {};
    fields[field] = value;
    this.writes.set(place, fields);
    this.bytes += value.length;
  }

  publish(channel: Channel, frame: Buffer): void {
    const frames = this.frames.get(channel) ?? [];
    frames.push(frame);
    this.frames.set(channel, frames);
    this.bytes += frame.length;
  }

  /** The turn, and an empty builder again. */
  take(): Turn {
    const writes: LogWrite[] = [...this.writes].map(([place, fields]) => ({ place, fields }));
    const publications = [...this.frames].flatMap(([channel, frames]) => packets(channel, frames));
    this.writes.clear();
    this.frames.clear();
    this.bytes = 0;
    return { writes, publications };
  }
}
