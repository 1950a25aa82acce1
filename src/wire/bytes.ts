import { digest, type Digest } from '../pbft/types.js';

/** Thrown by decoders inside this folder and nowhere else seen: `decodeFrame` and `splitPacket` turn it into a refusal. */
export class Malformed extends Error {}

/** Ends decoding unless `condition` holds. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Malformed(what);
}

const high = 2 ** 32;
const digestBytes = 32;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads big-endian fields. Every length is capped by the caller; nothing is copied but text. */
export class Reader {
  private offset = 0;

  constructor(private readonly bytes: Buffer) {}

  get position(): number {
    return this.offset;
  }

  take(length: number): Buffer {
    demand(length <= this.bytes.length - this.offset, 'truncated');
    const start = this.offset;
    this.offset += length;
    return this.bytes.subarray(start, this.offset);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  /** An unsigned 64-bit number, refused above 2^53−1: nothing of ours counts so far. */
  u64(): number {
    const bytes = this.take(8);
    const value = bytes.readUInt32BE(0) * high + bytes.readUInt32BE(4);
    demand(Number.isSafeInteger(value), 'number too large');
    return value;
  }

  digest(): Digest {
    return digest(this.take(digestBytes).toString('hex'));
  }

  /** u16 length and UTF-8; ill-formed UTF-8 is refused, since it would have two encodings. */
  text(bytesMax: number): string {
    const length = this.u16();
    demand(length <= bytesMax, 'text too long');
    const bytes = this.take(length);
    try {
      return strictUtf8.decode(bytes);
    } catch {
      throw new Malformed('not UTF-8');
    }
  }

  /** u32 length and bytes. */
  blob(bytesMax: number): Buffer {
    const length = this.u32();
    demand(length <= bytesMax, 'field too long');
    return this.take(length);
  }

  /** u16 count and that many items. */
  list<T>(countMax: number, item: () => T): T[] {
    const count = this.u16();
    demand(count <= countMax, 'list too long');
    return Array.from({ length: count }, item);
  }

  end(): void {
    demand(this.offset === this.bytes.length, 'trailing bytes');
  }
}

/** Writes big-endian fields: the counterpart of `Reader`. */
export class Writer {
  private readonly parts: Buffer[] = [];

  raw(bytes: Uint8Array): this {
    this.parts.push(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return this;
  }

  u8(value: number): this {
    return this.raw(Buffer.of(value));
  }

  u16(value: number): this {
    const bytes = Buffer.allocUnsafe(2);
    bytes.writeUInt16BE(value);
    return this.raw(bytes);
  }

  u32(value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  u64(value: number): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeUInt32BE(Math.floor(value / high), 0);
    bytes.writeUInt32BE(value % high, 4);
    return this.raw(bytes);
  }

  digest(value: Digest): this {
    return this.raw(Buffer.from(value, 'hex'));
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8');
    return this.u16(bytes.length).raw(bytes);
  }

  blob(value: Uint8Array): this {
    return this.u32(value.length).raw(value);
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u16(items.length);
    for (const item of items) write(item);
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.parts);
  }
}
