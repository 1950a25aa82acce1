import { describe, expect, it } from '@jest/globals';
import { Allowance } from '../../../src/replica/allowance.js';

describe('an allowance', () => {
  it('is spent at once, and comes back with time', () => {
    const allowance = new Allowance({ perTick: 2, atOnce: 6 });
    const taken = (): number => Array.from({ length: 20 }).filter(() => allowance.take(1, 1)).length;
    expect(taken()).toBe(6);
    for (const expected of [2, 2, 2]) {
      allowance.tick();
      expect(taken()).toBe(expected);
    }
    for (let tick = 0; tick < 100; tick++) allowance.tick();
    expect(taken()).toBe(6); // what nobody asked for is not saved up
  });

  it('is each peer’s own', () => {
    const allowance = new Allowance({ perTick: 1, atOnce: 3 });
    allowance.spend(1, 3);
    expect(allowance.isLeft(1)).toBe(false);
    expect(allowance.take(1, 1)).toBe(false);
    expect(allowance.isLeft(2)).toBe(true);
  });

  it('lets what is larger than all of it through, and then nothing for as long as that takes to come back', () => {
    const allowance = new Allowance({ perTick: 1, atOnce: 3 });
    expect(allowance.take(1, 10)).toBe(true);
    let ticks = 0;
    for (; !allowance.isLeft(1); ticks++) allowance.tick();
    expect(ticks).toBe(8);
  });
});
