import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Malformed } from '../../../src/wire/bytes.js';
import { codecs } from './codecs.js';

const runs = { numRuns: 60 };

function isRefused(decode: (bytes: Buffer) => unknown, bytes: Buffer): boolean {
  try {
    decode(bytes);
    return false;
  } catch (error) {
    if (error instanceof Malformed) return true;
    throw error; // a decoder that throws anything else would end the process
  }
}

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = value;
  return changed;
}

describe.each(codecs)('the encoding of a $name', ({ arbitrary, encode, decode, isOpenEnded }) => {
  it('gives back what went in', () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        expect(decode(encode(value))).toEqual(value);
      }),
      runs,
    );
  });

  it('is refused when it is cut off anywhere', () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        const bytes = encode(value);
        for (let length = 0; length < bytes.length; length++) {
          const cut = bytes.subarray(0, length);
          if (!isRefused(decode, cut) && !(isOpenEnded && encode(decode(cut)).equals(cut))) return false;
        }
        return true;
      }),
      { numRuns: 15 },
    );
  });

  it('is refused when anything comes after it', () => {
    fc.assert(
      fc.property(arbitrary, fc.uint8Array({ minLength: 1, maxLength: 3 }), (value, tail) => {
        const longer = Buffer.concat([encode(value), tail]);
        return isRefused(decode, longer);
      }),
      runs,
    );
  });

  it('is the only one of its message: no other bytes say the same', () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
        const bytes = encode(value);
        const at = place % bytes.length;
        const changed = withByte(bytes, at, bytes.readUInt8(at) ^ change);
        if (isRefused(decode, changed)) return;
        expect(decode(changed)).not.toEqual(value);
      }),
      { numRuns: 200 },
    );
  });

  it('never throws what would end the process, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        isRefused(decode, Buffer.from(bytes));
      }),
      { numRuns: 200 },
    );
  });
});
