import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hash } from 'node:crypto';
import { bucketCount } from '../../../src/state-machine/hash-tree.js';
import { MerkleState, stateLimits } from '../../../src/state-machine/merkle-state.js';
import { stateTransferLimits } from '../../../src/wire/state-transfer.js';
import type { Json } from '../../../src/wire/json.js';

function write(state: MerkleState, writes: (state: MerkleState) => void): void {
  state.begin();
  writes(state);
  state.commit();
}

/** A state with this content and no history. */
function stateOf(content: ReadonlyMap<string, Json>): MerkleState {
  const state = new MerkleState();
  write(state, () => content.forEach((value, key) => state.set(key, value)));
  return state;
}

function code(act: () => void): string {
  try {
    act();
  } catch (error) {
    return (error as { code?: string; name: string }).code ?? (error as Error).name;
  }
  return 'none';
}

/** The digest by its definition, with nothing incremental in it. */
function digestByDefinition(content: ReadonlyMap<string, Json>): string {
  const sha256 = (...parts: Buffer[]) => hash('sha256', Buffer.concat(parts), 'buffer');
  const buckets = Array.from({ length: bucketCount }, () => [] as { key: string; hash: Buffer }[]);
  for (const [key, value] of content) {
    const utf8 = Buffer.from(key);
    const length = Buffer.from([utf8.length >> 8, utf8.length & 255]);
    const hashed = sha256(Buffer.from([2]), length, utf8, Buffer.from(JSON.stringify(value)));
    buckets[sha256(utf8).readUInt16BE() >> 2]?.push({ key, hash: hashed });
  }
  let level = buckets.map((entries) => {
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return sha256(Buffer.from([0]), ...entries.map((entry) => entry.hash));
  });
  for (const width of [16, 8, 16, 8]) {
    level = Array.from({ length: level.length / width }, (_, index) => {
      return sha256(Buffer.from([1]), ...level.slice(index * width, (index + 1) * width));
    });
  }
  return level[0]?.toString('hex') ?? '';
}

/** Two keys of one bucket: found by trying, the same ones each time. */
function keysOfOneBucket(): [string, string] {
  const seen = new Map<number, string>();
  for (let count = 0; ; count++) {
    const key = `key ${String(count)}`;
    const bucket = hash('sha256', key, 'buffer').readUInt16BE() >> 2;
    const other = seen.get(bucket);
    if (other !== undefined) return [other, key];
    seen.set(bucket, key);
  }
}

const someKey = fc.constantFrom('a', 'b', 'c', 'ä', '', '__proto__', ...keysOfOneBucket());
const someValue = fc.constantFrom<Json>(0, 1, 'text', null, [1, 2], { a: 1 });
const someWrite = fc.record({ key: someKey, value: fc.option(someValue) });
const history = fc.array(
  fc.record({ writes: fc.array(someWrite, { maxLength: 6 }), keep: fc.boolean(), digestAfter: fc.boolean() }),
  { maxLength: 12 },
);

describe('the replicated state', () => {
  it('holds what was put into it', () => {
    const state = stateOf(new Map<string, Json>([['a', { b: [1, null] }]]));
    expect(state.get('a')).toEqual({ b: [1, null] });
    expect(state.has('a')).toBe(true);
    expect(state.get('b')).toBeUndefined();
    expect(state.has('b')).toBe(false);
    write(state, () => {
      expect(state.delete('a')).toBe(true);
      expect(state.delete('a')).toBe(false);
    });
    expect(state.has('a')).toBe(false);
    expect(state.bytes).toBe(0);
  });

  it('tells null from nothing', () => {
    const state = stateOf(new Map([['a', null]]));
    expect([state.get('a'), state.has('a')]).toEqual([null, true]);
  });

  it('gives frozen values that are nobody else’s', () => {
    const mine = { list: [{ deep: 1 }] };
    const state = stateOf(new Map([['a', mine]]));
    const value = state.get('a') as typeof mine;
    mine.list.push({ deep: 2 });
    expect(state.get('a')).toEqual({ list: [{ deep: 1 }] });
    expect(() => value.list.push({ deep: 3 })).toThrow(TypeError);
    expect(() => Object.assign(value.list[0] ?? {}, { deep: 3 })).toThrow(TypeError);
  });

  it('keeps a member called __proto__ a member', () => {
    const state = stateOf(new Map([['__proto__', JSON.parse('{"__proto__":{"x":1}}') as Json]]));
    expect(JSON.stringify(state.get('__proto__'))).toBe('{"__proto__":{"x":1}}');
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('undoes a transaction that is rolled back, whatever it did', () => {
    const content = new Map<string, Json>([
      ['a', 1],
      ['b', 2],
    ]);
    const state = stateOf(content);
    const before = [state.digest(), state.bytes];
    state.begin();
    state.set('a', 10);
    state.set('a', 11);
    state.delete('b');
    state.set('b', 20);
    state.delete('b');
    state.set('c', 30);
    expect([state.get('a'), state.get('b'), state.get('c')]).toEqual([11, undefined, 30]);
    state.rollback();
    expect([state.get('a'), state.get('b'), state.get('c')]).toEqual([1, 2, undefined]);
    expect([state.digest(), state.bytes]).toEqual(before);
  });

  it('can be written in a transaction only, one at a time', () => {
    const state = new MerkleState();
    expect(code(() => state.set('a', 1))).toBe('TypeError');
    expect(code(() => state.delete('a'))).toBe('TypeError');
    expect(code(() => state.commit())).toBe('InvariantViolation');
    expect(code(() => state.rollback())).toBe('InvariantViolation');
    state.begin();
    expect(code(() => state.begin())).toBe('InvariantViolation');
  });

  it.each<[string, string, unknown, string]>([
    ['the longest key', 'é'.repeat(512), 1, 'none'],
    ['a key of a byte more', `${'é'.repeat(512)}x`, 1, 'key-too-long'],
    ['half a surrogate pair as key', '\ud800', 1, 'invalid-key'],
    ['the largest value', 'a', 'x'.repeat(stateLimits.valueBytesMax - 2), 'none'],
    ['a value of a byte more', 'a', 'x'.repeat(stateLimits.valueBytesMax - 1), 'value-too-large'],
    ['a value that is large in UTF-8 only', 'a', 'é'.repeat(stateLimits.valueBytesMax / 2), 'value-too-large'],
    ['a value without end', 'a', endless(), 'value-too-deep'],
    ['undefined', 'a', undefined, 'TypeError'],
    ['a member that is undefined', 'a', { a: undefined }, 'TypeError'],
    ['a function', 'a', () => 1, 'TypeError'],
    ['a Date', 'a', new Date(0), 'TypeError'],
    ['a Map', 'a', new Map(), 'TypeError'],
    ['something with toJSON', 'a', { toJSON: () => 1 }, 'TypeError'],
    ['a bigint', 'a', 1n, 'TypeError'],
    ['NaN', 'a', NaN, 'TypeError'],
    ['infinity', 'a', [-Infinity], 'TypeError'],
    ['an integer that a double may not hold', 'a', 2 ** 53, 'TypeError'],
    ['half a surrogate pair', 'a', { '\udfff': 1 }, 'TypeError'],
    ['a hole', 'a', new Array(1), 'TypeError'],
    ['a symbol as key', 'a', { [Symbol('s')]: 1 }, 'TypeError'],
  ])('answers %s as it should', (_, key, value, expected) => {
    const state = new MerkleState();
    state.begin();
    expect(code(() => state.set(key, value as Json))).toBe(expected);
    expect(state.has(key)).toBe(expected === 'none');
  });

  it('does not grow beyond its limit, but can always shrink', () => {
    const overhead = stateLimits.entryOverheadBytes;
    const state = new MerkleState(2 * overhead + 11);
    state.begin();
    state.set('a', 'xxxxxx'); // 1 + 8 bytes, and the overhead
    state.set('b', 1);
    expect(code(() => state.set('b', 10))).toBe('state-full');
    expect(code(() => state.set('c', 1))).toBe('state-full');
    expect(state.bytes).toBe(2 * overhead + 11);
    state.set('a', 'xxxxx');
    state.set('b', 10);
    state.delete('a');
    expect(state.bytes).toBe(overhead + 3);
  });

  it('has no bucket with more keys than one message can list, for whoever looks for keys whose hashes begin alike', () => {
    const state = stateOf(new Map([['a', 1]]));
    state.map.sizeOfBucketOf = () => stateLimits.bucketEntriesMax; // to find so many takes a thousand million hashes
    state.begin();
    expect(code(() => state.set('b', 1))).toBe('state-full');
    expect(code(() => state.set('a', 2))).toBe('none');
    state.map.sizeOfBucketOf = () => stateLimits.bucketEntriesMax - 1;
    expect(code(() => state.set('b', 1))).toBe('none');
    expect(stateLimits.bucketEntriesMax).toBe(stateTransferLimits.bucketItemsMax);
  });
});

describe('the digest of the state', () => {
  it('is the same known one for nothing', () => {
    expect(new MerkleState().digest()).toBe(digestByDefinition(new Map()));
  });

  it('follows from the content alone, never from how it came about', () => {
    fc.assert(
      fc.property(history, (transactions) => {
        const state = new MerkleState();
        const content = new Map<string, Json>();
        for (const { writes, keep, digestAfter } of transactions) {
          state.begin();
          for (const { key, value } of writes) {
            if (value === null) state.delete(key);
            else state.set(key, value);
            if (keep && value === null) content.delete(key);
            else if (keep) content.set(key, value);
          }
          if (keep) state.commit();
          else state.rollback();
          if (digestAfter) state.digest();
        }
        expect(state.digest()).toBe(stateOf(content).digest());
        expect(state.bytes).toBe(stateOf(content).bytes);
        for (const [key, value] of content) expect(state.get(key)).toEqual(value);
      }),
      { numRuns: 60 },
    );
  });

  it('is what its definition says', () => {
    const [first, second] = keysOfOneBucket();
    const content = new Map<string, Json>([
      [second, [1, 2]],
      [first, 'x'],
      ['ä', { a: 1 }],
    ]);
    expect(stateOf(content).digest()).toBe(digestByDefinition(content));
  });

  it('differs for other content', () => {
    const digests = [
      [],
      [['a', 1]],
      [['a', 2]],
      [['b', 1]],
      [['a', '1']],
      [
        ['a', 1],
        ['b', 1],
      ],
    ].map((content) => {
      return stateOf(new Map(content as [string, Json][])).digest();
    });
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('is the same for objects that differ in the order of their members only', () => {
    expect(stateOf(new Map([['a', { x: 1, y: 2 }]])).digest()).toBe(stateOf(new Map([['a', { y: 2, x: 1 }]])).digest());
  });
});

describe('the buckets', () => {
  it('give all entries, each bucket in the order of its keys', () => {
    const [first, second] = keysOfOneBucket();
    const state = stateOf(
      new Map([
        [second, 2],
        [first, 1],
        ['a', 3],
      ]),
    );
    const all = Array.from({ length: bucketCount }, (_, bucket) => state.map.itemsOf(bucket).map(({ key }) => key));
    expect(all.flat().sort()).toEqual(['a', first, second].sort());
    expect(all.find((keys) => keys.length > 1)).toEqual([first, second].sort());
  });
});

function endless(): unknown[] {
  const list: unknown[] = [];
  list.push(list);
  return list;
}
