import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leafHash, MerkleTree, nodeHash, rootFromPath, splitPath } from '../../../src/crypto/merkle.js';

const hex = (text: string) => Buffer.from(text, 'hex');

/** The leaves and roots of certificate-transparency's own tests (its merkletree vectors). */
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const treeOver = (hashes: readonly Buffer[]): MerkleTree => new MerkleTree(Buffer.concat(hashes));
const merkleRoot = (hashes: readonly Buffer[]): Buffer => treeOver(hashes).root;
const inclusionPath = (hashes: readonly Buffer[], index: number): Buffer[] => splitPath(treeOver(hashes).path(index));

/** RFC 6962 §2.1 word for word. */
function rootOfTheRfc(hashes: readonly Buffer[]): Buffer {
  const [only] = hashes;
  if (only !== undefined && hashes.length === 1) return only;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return nodeHash(rootOfTheRfc(hashes.slice(0, split)), rootOfTheRfc(hashes.slice(split)));
}

const someLeaves = fc
  .array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 70 })
  .map((data) => data.map((bytes) => leafHash(Buffer.from(bytes))));
const treeAndIndex = someLeaves.chain((hashes) =>
  fc.record({ hashes: fc.constant(hashes), index: fc.nat({ max: hashes.length - 1 }) }),
);

describe('Merkle tree (RFC 6962)', () => {
  it('has the root of no leaves', () => {
    expect(merkleRoot([]).toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it.each(roots.map((root, index) => [index + 1, root] as const))('has the known root of %i leaves', (size, root) => {
    const hashes = leaves.slice(0, size).map((leaf) => leafHash(hex(leaf)));
    expect(merkleRoot(hashes).toString('hex')).toBe(root);
  });

  it('has known paths', () => {
    const hashes = leaves.map((leaf) => leafHash(hex(leaf)));
    expect(inclusionPath(hashes, 0).map((node) => node.toString('hex'))).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(inclusionPath(hashes.slice(0, 3), 2).map((node) => node.toString('hex'))).toEqual([
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    ]);
  });

  it('has the root that the recursive definition gives', () => {
    fc.assert(fc.property(someLeaves, (hashes) => merkleRoot(hashes).equals(rootOfTheRfc(hashes))));
  });

  it('leads from every leaf to the root', () => {
    fc.assert(
      fc.property(treeAndIndex, ({ hashes, index }) => {
        const leaf = hashes[index] ?? Buffer.alloc(0);
        const tree = treeOver(hashes);
        expect(rootFromPath(leaf, index, tree.size, splitPath(tree.path(index)))).toEqual(tree.root);
      }),
    );
  });

  it('leads elsewhere, or nowhere, with another leaf or node', () => {
    fc.assert(
      fc.property(treeAndIndex, fc.nat(), fc.nat({ max: 255 }), ({ hashes, index }, place, bit) => {
        const tree = treeOver(hashes);
        const nodes = [hashes[index] ?? Buffer.alloc(0), ...splitPath(tree.path(index))].map((node) =>
          Buffer.from(node),
        );
        const altered = nodes[place % nodes.length] ?? Buffer.alloc(0);
        altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const [leaf = altered, ...path] = nodes;
        expect(rootFromPath(leaf, index, tree.size, path)).not.toEqual(tree.root);
      }),
    );
  });

  it('has the same paths in hexadecimal, whichever was asked for before', () => {
    fc.assert(
      fc.property(someLeaves, (hashes) => {
        const tree = treeOver(hashes);
        for (const order of [hashes.keys(), [...hashes.keys()].reverse()]) {
          for (const index of order) {
            expect(tree.pathInHex(index)).toEqual(inclusionPath(hashes, index).map((node) => node.toString('hex')));
          }
        }
      }),
      { numRuns: 20 },
    );
    expect(() => treeOver([leafHash(Buffer.alloc(1))]).pathInHex(1)).toThrow(RangeError);
  });

  it('leads nowhere with a path that is too long or too short', () => {
    fc.assert(
      fc.property(treeAndIndex, ({ hashes, index }) => {
        const leaf = hashes[index] ?? Buffer.alloc(0);
        const path = inclusionPath(hashes, index);
        expect(rootFromPath(leaf, index, hashes.length, [...path, Buffer.alloc(32)])).toBeUndefined();
        if (path.length > 0) expect(rootFromPath(leaf, index, hashes.length, path.slice(1))).toBeUndefined();
      }),
    );
  });

  it.each([
    [1, 1],
    [5, 4],
    [-1, 4],
    [0, 0],
    [0.5, 2],
    [0, Number.POSITIVE_INFINITY],
    [Number.NaN, 1],
  ])('has no leaf %d of %d', (index, size) => {
    expect(rootFromPath(leafHash(Buffer.alloc(0)), index, size, [])).toBeUndefined();
  });

  it('gives no path to a leaf that is not there', () => {
    expect(() => inclusionPath([leafHash(Buffer.alloc(1))], 1)).toThrow(RangeError);
    expect(() => inclusionPath([], 0)).toThrow(RangeError);
  });

  it('ends at once however large the size is said to be', () => {
    expect(rootFromPath(leafHash(Buffer.alloc(0)), 0, Number.MAX_SAFE_INTEGER, [])).toBeUndefined();
  });
});
