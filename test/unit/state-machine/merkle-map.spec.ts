import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hash } from 'node:crypto';
import {
  bucketCount,
  bucketOf,
  hashOfList,
  hashOfStep,
  HashTree,
  nodesPerStep,
} from '../../../src/state-machine/hash-tree.js';
import { MerkleMap, type Item, type MerkleSnapshot } from '../../../src/state-machine/merkle-map.js';

function item(key: string, content: number): Item {
  return { key, hash: hash('sha256', `${key} ${String(content)}`, 'binary'), bytes: content };
}

type Content = ReadonlyMap<string, Item>;

/** Two keys of one bucket, and one that is the next bucket's: found by trying, the same ones each time. */
function neighbours(): string[] {
  const byBucket = new Map<number, string[]>();
  for (let count = 0; count < 40_000; count++) {
    const key = `key ${String(count)}`;
    byBucket.set(bucketOf(key), [...(byBucket.get(bucketOf(key)) ?? []), key]);
  }
  for (const [bucket, [first, second]] of byBucket) {
    const next = byBucket.get(bucket + 1)?.[0];
    if (bucket % 2 === 0 && first !== undefined && second !== undefined && next !== undefined) {
      return [first, second, next];
    }
  }
  return [];
}

const someKey = fc.constantFrom('a', 'b', 'ä', '', '__proto__', ...neighbours());
type Step =
  | { readonly kind: 'set'; readonly key: string; readonly content: number }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'settle' | 'digest' | 'freeze' }
  | { readonly kind: 'release' | 'install'; readonly which: number; readonly key: string };
const someStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set'), key: someKey, content: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete'), key: someKey }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('settle', 'digest') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('freeze') }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('release', 'install'), which: fc.nat(), key: someKey }),
  },
);

function inOrder(content: Content, bucket: number): Item[] {
  return [...content.values()].filter(({ key }) => bucketOf(key) === bucket).sort((a, b) => (a.key < b.key ? -1 : 1));
}

function freshDigest(content: Content): string {
  const map = new MerkleMap<Item>();
  for (const entry of content.values()) map.set(entry);
  return map.digest();
}

function expectContent(snapshot: MerkleSnapshot<Item>, content: Content): void {
  expect(new Map([...snapshot.items()].map((entry) => [entry.key, entry]))).toEqual(content);
  expect(snapshot.root.toString('hex')).toBe(freshDigest(content));
}

describe('a Merkle map', () => {
  it('and all its snapshots are what a plain map and its copies are, whatever is written, frozen, let go and put back', () => {
    const property = fc.property(fc.array(someStep, { maxLength: 40 }), fc.nat(3), (steps, left) => {
      const map = new MerkleMap<Item>();
      let model = new Map<string, Item>();
      const frozen: { readonly snapshot: MerkleSnapshot<Item>; readonly content: Content }[] = [];
      for (const step of steps) {
        switch (step.kind) {
          case 'set':
            map.set(item(step.key, step.content));
            model.set(step.key, item(step.key, step.content));
            break;
          case 'delete':
            expect(map.delete(step.key)).toBe(model.delete(step.key));
            break;
          case 'digest':
            map.digest();
            break;
          case 'settle':
            map.hashAhead(left);
            break;
          case 'freeze':
            frozen.push({ snapshot: map.freeze(), content: new Map(model) });
            break;
          case 'release':
            frozen.splice(step.which % Math.max(1, frozen.length), 1)[0]?.snapshot.release();
            break;
          case 'install': {
            const base = frozen[step.which % Math.max(1, frozen.length)];
            if (base === undefined) break;
            model = new Map(base.content).set(step.key, item(step.key, 7));
            const bucket = bucketOf(step.key);
            map.install(base.snapshot, new Map([[bucket, inOrder(model, bucket)]]));
            break;
          }
        }
        expect(map.snapshotCount).toBe(frozen.length);
      }
      expect(new Map([...map.items()].map((entry) => [entry.key, entry]))).toEqual(model);
      expect([map.size, map.bytes]).toEqual([model.size, [...model.values()].reduce((sum, i) => sum + i.bytes, 0)]);
      expect(map.digest()).toBe(freshDigest(model));
      for (const { snapshot, content } of frozen) expectContent(snapshot, content);
    });
    fc.assert(property, { numRuns: 60 });
  });

  it('is given to others bucket by bucket, in the order of keys', () => {
    const map = new MerkleMap<Item>();
    const keys = neighbours();
    for (const key of [...keys].reverse()) map.set(item(key, 1));
    const [first = '', second = '', next = ''] = keys;
    const snapshot = map.freeze();
    map.delete(first);
    map.set(item(second, 2));
    expect(snapshot.itemsOf(bucketOf(first)).map(({ key }) => key)).toEqual([first, second].sort());
    expect(snapshot.itemsOf(bucketOf(next))).toEqual([item(next, 1)]);
    expect(map.itemsOf(bucketOf(first))).toEqual([item(second, 2)]);
    expect(map.sizeOfBucketOf(first)).toBe(1);
  });

  it('knows which buckets differ between two moments', () => {
    const map = new MerkleMap<Item>();
    for (let count = 0; count < 200; count++) map.set(item(`key ${String(count)}`, 1));
    const before = map.freeze();
    const changed = ['key 3', 'key 77', 'new', ...neighbours()];
    for (const key of changed) map.set(item(key, 2));
    map.delete('key 9');
    const after = map.freeze();
    const buckets = [...new Set([...changed, 'key 9'].map(bucketOf))].sort((a, b) => a - b);
    expect([...before.differing(after)]).toEqual(buckets);
    expect([...before.differing(after, buckets[2])]).toEqual(buckets.slice(2));
    expect([...before.differing(after, (buckets[2] ?? 0) + 1)]).toEqual(buckets.slice(3));
    expect([...before.differing(before)]).toEqual([]);
    expect([...new MerkleMap<Item>().freeze().differing(new HashTree())]).toEqual([]);
  });

  it('shows its tree in two steps, each of which the step above vouches for', () => {
    const map = new MerkleMap<Item>();
    for (let count = 0; count < 500; count++) map.set(item(`key ${String(count)}`, 1));
    const snapshot = map.freeze();
    const middle = snapshot.hashesBelow(1);
    expect(hashOfStep(middle)).toBe(snapshot.hashAt(1));
    for (let node = nodesPerStep; node < 2 * nodesPerStep; node++) {
      const below = snapshot.hashesBelow(node);
      expect(hashOfStep(below)).toBe(
        middle.toString('latin1', 32 * (node - nodesPerStep), 32 * (node - nodesPerStep + 1)),
      );
      for (let index = 0; index < nodesPerStep; index++) {
        const bucket = node * nodesPerStep + index - bucketCount;
        const hashes = snapshot.itemsOf(bucket).map((entry) => entry.hash);
        expect(below.toString('latin1', 32 * index, 32 * (index + 1))).toBe(hashOfList(hashes.join('')));
      }
    }
  });

  it('lets nobody read a snapshot that was released, and releases it once', () => {
    const map = new MerkleMap<Item>();
    const snapshot = map.freeze();
    snapshot.release();
    snapshot.release();
    expect(() => snapshot.itemsOf(0)).toThrow('released');
    expect(map.snapshotCount).toBe(0);
  });
});
