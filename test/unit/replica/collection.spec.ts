import { describe, expect, it } from '@jest/globals';
import { LogCollection } from '../../../src/replica/collection.js';
import { TurnBuilder } from '../../../src/replica/turn-builder.js';

/** Ticks until nothing goes any more. @returns the places that went, and what is remembered of it */
function collect(
  collection: LogCollection,
  stored: number,
  stable: number,
): { readonly turns: readonly (readonly number[])[]; readonly own: Readonly<Record<string, Buffer>> } {
  const turns: number[][] = [];
  let own = {};
  for (;;) {
    const turn = new TurnBuilder();
    collection.tick(stored, stable, turn);
    if (turn.isEmpty) return { turns, own };
    const { removals, writes } = turn.take();
    turns.push(removals.flatMap(({ place }) => (place === 'state' ? [] : [place])));
    own = Object.fromEntries(writes[0]?.fields ?? []);
    expect(writes.map(({ place }) => place)).toEqual(['replica']);
  }
}

const upTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, offset) => first + offset);

describe('collecting the log', () => {
  it('removes what lies below both the stored and the stable checkpoint, but for the last', () => {
    const collection = new LogCollection(256, {});
    expect(collect(collection, 0, 1024).turns).toEqual([]);
    expect(collect(collection, 256, 1024).turns).toEqual([]);
    expect(collect(collection, 384, 1024).turns.flat()).toEqual(upTo(1, 128));
    expect(collect(collection, 1024, 512).turns.flat()).toEqual(upTo(129, 256));
    expect(collect(collection, 1024, 512).turns).toEqual([]);
  });

  it('removes a few in each tick', () => {
    const { turns } = collect(new LogCollection(0, {}), 1000, 1000);
    expect(turns.flat()).toEqual(upTo(1, 1000));
    expect(Math.max(...turns.map(({ length }) => length))).toBe(64);
  });

  it('goes on after a restart where it was', () => {
    const { own } = collect(new LogCollection(10, {}), 100, 100);
    const collection = new LogCollection(10, own);
    expect(collect(collection, 100, 100).turns).toEqual([]);
    expect(collect(collection, 0, 100).turns).toEqual([]); // nor back
    expect(collect(collection, 103, 110).turns).toEqual([[91, 92, 93]]);
  });

  it.each(['', 'junk', '-1', '1e3', '99999999999999999999'])('begins anew when it finds %p', (text) => {
    const collection = new LogCollection(0, { collected: Buffer.from(text) });
    expect(collect(collection, 3, 3).turns).toEqual([[1, 2, 3]]);
  });
});
