import type { Channel, Publication } from '../ports/bus.js';
import type { LogWrite } from '../ports/message-log.js';
import type { Turn } from '../ports/outbox.js';
import { joinPacket, packetBytesMax, packetFramesMax } from '../wire/frame.js';

/** Room for the length before each frame. */
const packetFill = packetBytesMax / 2;

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

/** As few packets as the caps allow. */
export function packets(channel: Channel, frames: readonly Buffer[]): Publication[] {
  const publications: Publication[] = [];
  let packet: Buffer[] = [];
  let bytes = 0;
  const close = (): void => {
    if (packet.length > 0) publications.push({ channel, payload: joinPacket(packet) });
    packet = [];
    bytes = 0;
  };
  for (const frame of frames) {
    if (bytes + frame.length > packetFill || packet.length >= packetFramesMax) close();
    packet.push(frame);
    bytes += frame.length;
  }
  close();
  return publications;
}
