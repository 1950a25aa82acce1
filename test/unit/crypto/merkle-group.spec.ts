import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { followGroup, proofOfGroup } from '../../../src/crypto/merkle-group.js';
import { hashBytes, leafHash, MerkleTree } from '../../../src/crypto/merkle.js';

const hashesOf = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));

/** A tree, some of its leaves, and their proof. */
function group(size: number, indexes: readonly number[]) {
  const hashes = hashesOf(size);
  const tree = new MerkleTree(Buffer.concat(hashes));
  const given = indexes.map((index) => ({ index, hash: hashes[index]! }));
  const proof = proofOfGroup(
    indexes.map((index) => ({ index, path: () => tree.path(index) })),
    size,
  );
  return { tree, given, proof };
}

const someGroup = fc.integer({ min: 1, max: 70 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    indexes: fc
      .uniqueArray(fc.nat({ max: size - 1 }), { minLength: 1 })
      .map((indexes) => indexes.toSorted((a, b) => a - b)),
  }),
);

describe('one proof for several leaves', () => {
  it('leads to the root, and to the path of each of them, whichever they are', () => {
    for (let size = 1; size <= 9; size++) {
      for (let chosen = 1; chosen < 2 ** size; chosen++) {
        const indexes = Array.from({ length: size }, (_, index) => index).filter(
          (index) => (chosen >> index) % 2 === 1,
        );
        const { tree, given, proof } = group(size, indexes);
        const reached = followGroup(given, size, proof);
        expect(reached?.root).toEqual(tree.root);
        expect(reached?.paths).toEqual(indexes.map((index) => tree.path(index)));
      }
    }
  });

  it('is nothing for all leaves, a leaf’s path for it alone, and never longer than the paths together', () => {
    for (const size of [1, 2, 3, 64, 100]) {
      const all = Array.from({ length: size }, (_, index) => index);
      expect(group(size, all).proof).toHaveLength(0);
      for (const index of all) {
        const { tree, proof } = group(size, [index]);
        expect(proof).toEqual(tree.path(index));
      }
    }
    // Leaves that lie side by side need two hashes of each level at most.
    expect(
      group(
        1024,
        Array.from({ length: 128 }, (_, rank) => 300 + rank),
      ).proof.length,
    ).toBeLessThan(20 * hashBytes);
  });

  it('can be made again from the paths that it led to', () => {
    fc.assert(
      fc.property(someGroup, ({ size, indexes }) => {
        const { given, proof } = group(size, indexes);
        const { paths } = followGroup(given, size, proof)!;
        const again = indexes.map((index, rank) => ({ index, path: () => paths[rank]! }));
        expect(proofOfGroup(again, size)).toEqual(proof);
      }),
    );
  });

  it('leads elsewhere or nowhere once a byte of it, a leaf or the size is another', () => {
    fc.assert(
      fc.property(someGroup, fc.nat(), ({ size, indexes }, at) => {
        const { tree, given, proof } = group(size, indexes);
        const rootOf = (...changed: Parameters<typeof followGroup>) => followGroup(...changed)?.root;
        if (proof.length > 0) {
          const spoilt = Buffer.from(proof);
          spoilt[at % proof.length]! ^= 1;
          expect(rootOf(given, size, spoilt)).not.toEqual(tree.root);
          expect(rootOf(given, size, proof.subarray(hashBytes))).toBeUndefined();
        }
        expect(rootOf(given, size, Buffer.concat([proof, Buffer.alloc(hashBytes)]))).toBeUndefined();
        const rank = at % given.length;
        const spoilt = given.map((leaf, each) => (each === rank ? { ...leaf, hash: leafHash(Buffer.of(1)) } : leaf));
        expect(rootOf(spoilt, size, proof)).not.toEqual(tree.root);
      }),
    );
  });

  it('is refused for leaves that do not ascend, are none, or lie outside', () => {
    const { given, proof } = group(6, [1, 4]);
    const [one, four] = given as [(typeof given)[0], (typeof given)[0]];
    expect(followGroup(given, 6, proof)).toBeDefined();
    expect(followGroup([four, one], 6, proof)).toBeUndefined();
    expect(followGroup([one, one, four], 6, proof)).toBeUndefined();
    expect(followGroup([], 6, proof)).toBeUndefined();
    expect(followGroup([], 0, Buffer.of())).toBeUndefined();
    expect(followGroup(given, 4, proof)).toBeUndefined();
    expect(followGroup(given, 0, proof)).toBeUndefined();
    expect(followGroup([{ ...one, index: -1 }, four], 6, proof)).toBeUndefined();
  });
});
