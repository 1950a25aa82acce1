import { hashBytes, nodeHash, splitPath } from './merkle.js';

/*
 * One proof for several leaves of a tree (merkle.ts): the nodes that are needed on the way from all of them to the root and
 * do not follow from them, level by level from the leaves upwards, in each level from left to right.
 *
 *             root
 *            /    \            Of leaves 1 and 2 the proof is 0, 3: what lies above follows.
 *          ·        ·          Of all four it is nothing, of leaf 1 alone it is that leaf's path.
 *         / \      / \
 *        0   1    2   3
 */

interface Node<T> {
  readonly place: number;
  readonly value: T;
}

/** Two siblings become their parent; `other`, the right one, is `undefined` where only `one` is known, which may be either. */
type Join<T> = (one: T, other: T | undefined, isRight: boolean) => T;

/** From nodes of the lowest level, the leftmost first, to the root of a tree of `size` leaves. */
function climb<T>(leaves: readonly Node<T>[], size: number, join: Join<T>): T | undefined {
  let level = leaves;
  for (let width = size; width > 1; width = Math.ceil(width / 2)) {
    const above: Node<T>[] = [];
    for (let rank = 0; rank < level.length; rank++) {
      const node = level[rank];
      if (node === undefined) break;
      const { place, value } = node;
      const sibling = place ^ 1;
      const next = level[rank + 1];
      const isPair = next?.place === sibling;
      // An odd last node rises as it is.
      const parent = sibling >= width ? value : join(value, isPair ? next.value : undefined, place % 2 === 1);
      above.push({ place: place >>> 1, value: parent });
      if (isPair) rank++;
    }
    level = above;
  }
  return level[0]?.value;
}

/** A leaf whose path is known. It is asked for only where the proof needs something of it. */
export interface ProvenLeaf {
  readonly index: number;
  path(): Uint8Array;
}

/**
 * The proof of some leaves of a tree of `size`.
 * @param proven with ascending indexes
 */
export function proofOfGroup(proven: readonly ProvenLeaf[], size: number): Buffer {
  const proof: Uint8Array[] = [];
  const leaves = proven.map((leaf) => ({ place: leaf.index, value: { leaf, steps: 0 } }));
  climb(leaves, size, ({ leaf, steps }, other) => {
    if (other === undefined) proof.push(leaf.path().subarray(steps * hashBytes, (steps + 1) * hashBytes));
    return { leaf, steps: steps + 1 };
  });
  return Buffer.concat(proof);
}

/** A leaf that is given, and where it lies. */
export interface GivenLeaf {
  readonly index: number;
  readonly hash: Buffer;
}

/**
 * The root that some leaves and their proof lead to, and each leaf's own path; `undefined` when the leaves do not ascend, when
 * there are no such leaves in a tree of `size`, or when the proof is longer or shorter than theirs is.
 */
export function followGroup(
  given: readonly GivenLeaf[],
  size: number,
  proof: Buffer,
): { readonly root: Buffer; readonly paths: readonly Buffer[] } | undefined {
  const isAscending = given.every(({ index }, rank) => index > (given[rank - 1]?.index ?? -1));
  if (!isAscending || (given.at(-1)?.index ?? size) >= size) return undefined;
  const nodes = splitPath(proof);
  const paths: Buffer[][] = given.map(() => []);
  let used = 0;
  const leaves = given.map(({ index, hash }, rank) => ({ place: index, value: { hash, ranks: [rank] } }));
  const top = climb(leaves, size, (one, other, isRight) => {
    const sibling = other?.hash ?? nodes[used++] ?? Buffer.alloc(hashBytes);
    for (const rank of one.ranks) paths[rank]?.push(sibling);
    for (const rank of other?.ranks ?? []) paths[rank]?.push(one.hash);
    const hash = isRight ? nodeHash(sibling, one.hash) : nodeHash(one.hash, sibling);
    return { hash, ranks: other === undefined ? one.ranks : [...one.ranks, ...other.ranks] };
  });
  if (top === undefined || used !== nodes.length) return undefined;
  return { root: top.hash, paths: paths.map((path) => Buffer.concat(path)) };
}
