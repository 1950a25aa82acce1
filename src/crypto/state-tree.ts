import { sha256Bytes } from './digest.js';

/**
 * Children of each node of the tree of a state, from the nodes above its 2^14 places up to the root. Wide nodes make the tree cheap to
 * bring up to date, 1,161 hashes instead of 16,383 where every place has changed, and a proof longer: 44 hashes instead of 14.
 */
export const stateTreeWidths = [16, 8, 16, 8] as const;

/** Hashes beside the way from a place to the root. */
export const stateTreeWayLength = stateTreeWidths.reduce((sum: number, width) => sum + width - 1, 0);

const nodePrefix = Buffer.of(0x01);

/**
 * The root to which a place's hash leads: SHA-256(0x01 ‖ the children of a node, from the left) for each node above it.
 * @param way the `stateTreeWayLength` hashes beside the way, from below, each level's from the left
 */
export function rootOfWay(place: number, hash: Buffer, way: readonly Buffer[]): Buffer {
  let [index, root, start] = [place, hash, 0];
  for (const width of stateTreeWidths) {
    const beside = way.slice(start, (start += width - 1));
    root = sha256Bytes(Buffer.concat([nodePrefix, ...beside.toSpliced(index % width, 0, root)]));
    index = Math.trunc(index / width);
  }
  return root;
}
