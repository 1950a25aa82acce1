import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sortFew } from '../../../src/wire/sort-few.js';

describe('sorting a few items', () => {
  it('puts them in the order that Array.prototype.sort does, equals as they were, however many there are', () => {
    const item = fc.record({ rank: fc.nat({ max: 9 }), name: fc.nat() });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), (items) => {
        const expected = items.toSorted((one, other) => one.rank - other.rank);
        expect(sortFew([...items], (one, other) => one.rank > other.rank)).toEqual(expected);
      }),
    );
  });
});
