import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { digest } from '../../../src/pbft/types.js';
import { AgreedRandom, type Occasion } from '../../../src/state-machine/agreed-random.js';

const occasion: Occasion = { sequence: 7, time: 1_700_000_000_000, requestDigest: digest('ab'.repeat(32)) };

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** As docs/protocol.md, rule 11, has it, without our codec. */
function blockOf({ sequence, time, requestDigest }: Occasion, index: number): Buffer {
  const parts = [Buffer.from('quorate/1/random\0'), u64(sequence), u64(time), Buffer.from(requestDigest, 'hex')];
  return createHash('sha256')
    .update(Buffer.concat([...parts, u64(index)]))
    .digest();
}

describe('agreed randomness (rule 11)', () => {
  it('is the blocks of the rule, one after the other, however they are drawn', () => {
    const chance = new AgreedRandom(occasion);
    const drawn = [chance.bytes(5), chance.bytes(0), chance.bytes(40), chance.bytes(51)];
    const blocks = [0, 1, 2].map((index) => blockOf(occasion, index));
    expect(Buffer.concat(drawn)).toEqual(Buffer.concat(blocks));
  });

  it('gives the upper 53 bits of 8 bytes as a number from 0 to below 1', () => {
    const chance = new AgreedRandom(occasion);
    const [block] = [blockOf(occasion, 0)];
    const expected = [0, 8].map((offset) => Number(block.readBigUInt64BE(offset) >> 11n) / 2 ** 53);
    expect([chance.number(), chance.number()]).toEqual(expected);
  });

  it('is the same for the same occasion, and another for any other', () => {
    const others: Occasion[] = [
      { ...occasion, sequence: 8 },
      { ...occasion, time: occasion.time + 1 },
      { ...occasion, requestDigest: digest('ac'.repeat(32)) },
    ];
    const first = (of: Occasion): number => new AgreedRandom(of).number();
    expect(first({ ...occasion })).toBe(first(occasion));
    expect(new Set([occasion, ...others].map(first)).size).toBe(4);
  });

  it('lies evenly between 0 and 1', () => {
    const chance = new AgreedRandom(occasion);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw++) counts[Math.floor(chance.number() * 10)]! += 1;
    // The same numbers each time: chi squared with 9 degrees of freedom, far below what 1 in 1,000 would reach.
    expect(counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(27.9);
  });

  it.each([-1, 0.5, Number.NaN, 65_537])('refuses to give %s bytes', (count) => {
    expect(() => new AgreedRandom(occasion).bytes(count)).toThrow(RangeError);
  });

  it('gives as many bytes as may be asked for, and a copy of them', () => {
    const chance = new AgreedRandom(occasion);
    expect(chance.bytes(65_536)).toHaveLength(65_536);
    const [one, other] = [new AgreedRandom(occasion).bytes(64), new AgreedRandom(occasion).bytes(64)];
    one.fill(0);
    expect(Buffer.from(other.subarray(0, 32))).toEqual(blockOf(occasion, 0));
  });
});
