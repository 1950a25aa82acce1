import { sha256Bytes } from '../crypto/digest.js';
import type { Digest } from '../pbft/types.js';
import { Writer } from '../wire/bytes.js';

/** Of one call: far more than a key, a token or a shuffled list takes. */
const bytesMax = 65_536;
const blockBytes = 32;
const nothing = Buffer.alloc(0);
const domain = Buffer.from('quorate/1/random\0', 'ascii');

/** What was agreed about one execution. No two have the same: a request is executed once (rule 12). */
export interface Occasion {
  /** Of the batch. */
  readonly sequence: number;
  /** Of the batch, milliseconds since 1970. */
  readonly time: number;
  /** Names the client, its timestamp and the operation. */
  readonly requestDigest: Digest;
}

/**
 * Numbers that look random and are the same at every replica, in whichever view the batch was executed, and again when it is
 * executed again: block i is SHA-256("quorate/1/random" 0 ‖ u64 sequence ‖ u64 time ‖ request digest ‖ u64 i), and what is
 * drawn is taken from the blocks in order (rule 11).
 */
export class AgreedRandom {
  private blocks = 0;
  private rest: Buffer = nothing;

  constructor(private readonly occasion: Occasion) {}

  /** From 0 to below 1, in steps of 2^−53: the upper 53 bits of the next 8 bytes. */
  number(): number {
    const bytes = this.take(8);
    return (bytes.readUInt32BE(0) * 2 ** 21 + (bytes.readUInt32BE(4) >>> 11)) / 2 ** 53;
  }

  /** @throws {RangeError} unless `count` is a whole number from 0 to 65,536 */
  bytes(count: number): Uint8Array {
    if (!Number.isSafeInteger(count) || count < 0 || count > bytesMax) {
      throw new RangeError(`randomBytes takes a whole number from 0 to ${String(bytesMax)}`);
    }
    return Uint8Array.from(this.take(count));
  }

  private take(count: number): Buffer {
    const missing = Math.max(0, count - this.rest.length);
    const blocks = Array.from({ length: Math.ceil(missing / blockBytes) }, () => this.block());
    const drawn = Buffer.concat([this.rest, ...blocks]);
    this.rest = drawn.subarray(count);
    return drawn.subarray(0, count);
  }

  private block(): Buffer {
    const { sequence, time, requestDigest } = this.occasion;
    return sha256Bytes(
      new Writer().raw(domain).u64(sequence).u64(time).digest(requestDigest).u64(this.blocks++).done(),
    );
  }
}
