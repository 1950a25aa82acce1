import { describe, expect, it } from '@jest/globals';
import { Recent } from '../../../src/wire/recent.js';

const named = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `n${from + index}`);

describe('what came last', () => {
  it('is there, at least half of the most and at most all of it', () => {
    const recent = new Recent<string>(100);
    for (let next = 0; next < 1000; next++) {
      recent.add(`n${next}`, `thing ${next}`);
      for (const name of named(Math.max(0, next - 49), next + 1)) expect(recent.has(name)).toBe(true);
      expect(named(0, next + 1).filter((name) => recent.has(name)).length).toBeLessThanOrEqual(100);
    }
    expect(recent.get('n999')).toBe('thing 999');
    expect(recent.get('n0')).toBeUndefined();
  });

  it('takes no more bytes than it may, but for one thing that alone takes more', () => {
    const recent = new Recent<number>(100, 1000);
    const held = (): number => named(0, 300).reduce((sum, name) => sum + (recent.get(name) ?? 0), 0);
    for (let next = 0; next < 300; next++) {
      const bytes = 1 + ((next * 37) % 400);
      recent.add(`n${next}`, bytes, bytes);
      expect(recent.get(`n${next}`)).toBe(bytes);
      expect(held()).toBeLessThanOrEqual(1000);
    }
    recent.add('large', 5000, 5000);
    recent.add('small', 1, 1);
    expect([recent.get('large'), recent.get('small')]).toEqual([5000, 1]);
    recent.add('next', 1000, 1000);
    expect(recent.has('large')).toBe(false);
  });

  it('keeps what was there under a name', () => {
    const recent = new Recent<number>(100);
    recent.add('a', 1);
    recent.add('a', 2);
    expect(recent.get('a')).toBe(1);
  });
});
