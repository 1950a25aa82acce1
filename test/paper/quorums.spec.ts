import { describe, expect, it } from '@jest/globals';
import { faultsTolerated, primaryOf, quorumSize, replicasMax } from '../../src/pbft/quorum.js';
import { view } from '../../src/pbft/types.js';
import { configurationOf } from '../support/checked-replica.js';

const table = [
  { n: 4, f: 1, q: 3 },
  { n: 5, f: 1, q: 4 },
  { n: 6, f: 1, q: 4 },
  { n: 7, f: 2, q: 5 },
  { n: 8, f: 2, q: 6 },
  { n: 9, f: 2, q: 6 },
  { n: 10, f: 3, q: 7 },
] as const;

/** All sets of `size` of `n` replicas, as bits. */
function setsOf(n: number, size: number): number[] {
  return Array.from({ length: 2 ** n }, (_, bits) => bits).filter((bits) => countOf(bits) === size);
}

function countOf(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** The fewest replicas that two sets of `size` of `n` have in common. */
function smallestIntersection(n: number, size: number): number {
  const sets = setsOf(n, size);
  let smallest = n;
  for (const one of sets) for (const other of sets) smallest = Math.min(smallest, countOf(one & other));
  return smallest;
}

/** OSDI '99 §3 (resilience ⌊(n−1)/3⌋ is optimal) and TOCS 2002 §4.1 (quorums: intersection and availability). */
describe('quorums (OSDI §3)', () => {
  it.each(table)('$n replicas tolerate $f faulty ones, with quorums of $q', ({ n, f, q }) => {
    expect(configurationOf({ n })).toMatchObject({ n, f, q });
    expect([faultsTolerated(n), quorumSize(n)]).toEqual([f, q]);
  });

  it.each(table)('any two quorums of $n share a correct replica', ({ n, f, q }) => {
    expect(smallestIntersection(n, q)).toBeGreaterThan(f);
  });

  it.each(table)('a smaller quorum of $n could meet another one in faulty replicas alone', ({ n, f, q }) => {
    expect(smallestIntersection(n, q - 1)).toBeLessThanOrEqual(f);
  });

  it('are there without the faulty replicas, whatever n', () => {
    for (let n = 4; n <= replicasMax; n++) {
      expect(quorumSize(n)).toBeLessThanOrEqual(n - faultsTolerated(n));
      expect(2 * quorumSize(n) - n).toBeGreaterThan(faultsTolerated(n));
    }
  });

  it('are 2f+1 for n = 3f+1, and more for n = 5 and n = 6, where 2f+1 is unsafe', () => {
    for (let f = 1; 3 * f + 1 <= replicasMax; f++) expect(quorumSize(3 * f + 1)).toBe(2 * f + 1);
    for (const n of [5, 6]) expect(smallestIntersection(n, 2 * faultsTolerated(n) + 1)).toBeLessThanOrEqual(1);
  });

  it.each([0, 1, 2, 3, 3.5, Number.NaN, replicasMax + 1])('%d replicas are refused', (n) => {
    expect(() => configurationOf({ n, self: 0 })).toThrow('invariant violated');
  });

  it.each([-1, 4])('replica %d of 4 is refused', (self) => {
    expect(() => configurationOf({ n: 4, self })).toThrow('invariant violated');
  });
});

describe('views (OSDI §4)', () => {
  it('have the replicas take turns as primary, without an end', () => {
    const turns = Array.from({ length: 9 }, (_, number) => primaryOf(view(number), 4));
    expect(turns).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0]);
    expect(primaryOf(view(2 ** 40 + 5), 7)).toBe((2 ** 40 + 5) % 7);
  });
});
