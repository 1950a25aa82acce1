import type { Channel, Publication } from '../ports/bus.js';
import { joinPacket, packetBytesMax, packetFramesMax } from './frame.js';

/** A packet is closed when the next frame would take it beyond this: well below what is refused. */
const packetFillBytes = packetBytesMax / 2;

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
    if (bytes + frame.length > packetFillBytes || packet.length >= packetFramesMax) close();
    packet.push(frame);
    bytes += frame.length;
  }
  close();
  return publications;
}
