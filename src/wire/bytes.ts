import { digest, type Digest } from '../pbft/types.js';

/** Thrown by decoders inside this folder and nowhere else seen: `decodeFrame` and `splitPacket` turn it into a refusal. */
export class Malformed extends Error {}

/** Ends decoding unless `condition` holds. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Malformed(what);
}

const high = 2 ** 32;
const digestBytes = 32;
const noBytes = Buffer.alloc(0);
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that was read last: in a list of requests it is the same client again and again. */
let lastText: { readonly bytes: Buffer; readonly text: string } | undefined;

/** Reads big-endian fields. Every length is capped by the caller; nothing is copied but text. */
export class Reader {
  private offset = 0;

  constructor(private readonly bytes: Buffer) {}

  get position(): number {
    return this.offset;
  }

  take(length: number): Buffer {
    if (length === 0) return noBytes;
    const start = this.pass(length);
    return this.bytes.subarray(start, this.offset);
  }

  /** Goes on behind the next `length` bytes. @returns whether they are those that `bytes` begins with */
  takes(bytes: Uint8Array, length: number): boolean {
    const start = this.pass(length);
    return this.isAt(start, bytes, length);
  }

  u8(): number {
    return this.bytes.readUInt8(this.pass(1));
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.pass(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.pass(4));
  }

  /** An unsigned 64-bit number, refused above 2^53−1: nothing of ours counts so far. */
  u64(): number {
    const start = this.pass(8);
    const value = this.bytes.readUInt32BE(start) * high + this.bytes.readUInt32BE(start + 4);
    demand(Number.isSafeInteger(value), 'number too large');
    return value;
  }

  digest(): Digest {
    const start = this.pass(digestBytes);
    return digest(this.bytes.toString('hex', start, this.offset));
  }

  /** u16 length and UTF-8; ill-formed UTF-8 is refused, since it would have two encodings. */
  text(bytesMax: number): string {
    const length = this.u16();
    demand(length <= bytesMax, 'text too long');
    if (lastText?.bytes.length === length && this.isAt(this.offset, lastText.bytes, length)) {
      this.offset += length;
      return lastText.text;
    }
    const bytes = this.take(length);
    try {
      lastText = { bytes: Buffer.from(bytes), text: strictUtf8.decode(bytes) };
    } catch {
      throw new Malformed('not UTF-8');
    }
    return lastText.text;
  }

  /** Byte by byte: a text is short, and a view of it would cost more. */
  private isAt(start: number, bytes: Uint8Array, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.bytes[start + index] !== bytes[index]) return false;
    }
    return true;
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
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(item());
    return items;
  }

  /** Goes on behind the next `length` bytes. @returns where they begin */
  private pass(length: number): number {
    const start = this.offset;
    demand(length <= this.bytes.length - start, 'truncated');
    this.offset = start + length;
    return start;
  }

  end(): void {
    demand(this.offset === this.bytes.length, 'trailing bytes');
  }
}

export function writeU64(bytes: Buffer, value: number, start: number): void {
  bytes.writeUInt32BE(Math.floor(value / high), start);
  bytes.writeUInt32BE(value % high, start + 4);
}

/** Bytes that a writer begins with: most of what is written fits. */
const firstBytes = 256;

/** Writes big-endian fields: the counterpart of `Reader`. */
export class Writer {
  /** Larger than what was written: it grows by doubling, so that a field costs no allocation. */
  private bytes: Buffer;
  private length = 0;

  /** @param room bytes that will be written, where that is known: they are then copied no more */
  constructor(room = firstBytes) {
    this.bytes = Buffer.allocUnsafe(room);
  }

  raw(bytes: Uint8Array): this {
    const start = this.make(bytes.length);
    this.bytes.set(bytes, start);
    return this;
  }

  u8(value: number): this {
    const start = this.make(1);
    this.bytes[start] = value;
    return this;
  }

  u16(value: number): this {
    const start = this.make(2);
    this.bytes.writeUInt16BE(value, start);
    return this;
  }

  u32(value: number): this {
    const start = this.make(4);
    this.bytes.writeUInt32BE(value, start);
    return this;
  }

  u64(value: number): this {
    const start = this.make(8);
    writeU64(this.bytes, value, start);
    return this;
  }

  digest(value: Digest): this {
    const start = this.make(value.length / 2);
    this.bytes.write(value, start, 'hex');
    return this;
  }

  text(value: string): this {
    return this.u16(Buffer.byteLength(value, 'utf8')).utf8(value);
  }

  /** UTF-8 alone: how long it is must be known otherwise. */
  utf8(value: string): this {
    const length = Buffer.byteLength(value, 'utf8');
    const start = this.make(length);
    this.bytes.write(value, start, length, 'utf8');
    return this;
  }

  blob(value: Uint8Array): this {
    return this.u32(value.length).raw(value);
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u16(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** A copy, unless the room was measured: what is kept holds no more memory than it needs. The writer is not used any more. */
  done(): Buffer {
    if (this.length === this.bytes.length) return this.bytes;
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  /** What was written, for use before anything else is: the bytes are the writer's own. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Forgets what was written, and keeps the room. */
  restart(): this {
    this.length = 0;
    return this;
  }

  /** Room for so many bytes more. @returns where it begins */
  private make(length: number): number {
    const start = this.length;
    this.length = start + length;
    if (this.length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.length, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, start);
      this.bytes = grown;
    }
    return start;
  }
}
