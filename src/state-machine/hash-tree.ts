import { hash } from 'node:crypto';

/** Leaves of the tree of a state: a key's bucket is the first 14 bits of its SHA-256. */
export const bucketCount = 2 ** 14;
/** The tree is handed to others in steps of so many levels: from the root to its middle, from there to the buckets. */
const levelsPerStep = 7;
export const hashBytes = 32;
/** Nodes that lie one step below a node. */
export const nodesPerStep = 2 ** levelsPerStep;

// Hashes are kept as 32 Latin-1 characters: node:crypto gives a string in less than half the time of a Buffer.
const bucketPrefix = '\x00';
const nodePrefix = 0x01;

/** SHA-256 as 32 Latin-1 characters. */
export function sha256Latin1(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary'); // which is Latin-1
}

export function bucketOf(key: string): number {
  return Number.parseInt(hash('sha256', key, 'hex').slice(0, 4), 16) >>> 2;
}

/** SHA-256(0x00 ‖ the hashes of the items in the order of their keys). */
export function hashOfBucket(items: readonly { readonly hash: string }[]): string {
  return hashOfList(items.map((item) => item.hash).join(''));
}

/** The same over the hashes themselves, one after the other. */
export function hashOfList(hashes: string): string {
  return sha256Latin1(Buffer.from(bucketPrefix + hashes, 'latin1'));
}

/** The hash of a node over the `nodesPerStep` hashes that lie one step below it. */
export function hashOfStep(below: Buffer): string {
  const nodes = Buffer.alloc(2 * below.length);
  below.copy(nodes, below.length);
  for (let place = below.length / hashBytes - 1; place >= 1; place--) put(nodes, place, hashOfNode(nodes, place));
  return nodes.toString('latin1', hashBytes, 2 * hashBytes);
}

/** The hashes as they were at one moment. */
export class TreeView {
  /** @param nodes a binary heap of hashes: 1 is the root, `bucketCount + b` is bucket b. */
  constructor(protected readonly nodes: Buffer) {}

  /** 32 bytes. */
  get root(): Buffer {
    return Buffer.from(this.nodes.subarray(hashBytes, 2 * hashBytes));
  }

  /** The hash of a node of the heap, 32 Latin-1 characters. */
  hashAt(node: number): string {
    return this.nodes.toString('latin1', node * hashBytes, (node + 1) * hashBytes);
  }

  hashOfBucket(bucket: number): string {
    return this.hashAt(bucketCount + bucket);
  }

  /** The `nodesPerStep` hashes that lie one step below a node: of the root, or of one a step below the root. */
  hashesBelow(node: number): Buffer {
    const first = node * nodesPerStep * hashBytes;
    return Buffer.from(this.nodes.subarray(first, first + nodesPerStep * hashBytes));
  }

  /** The buckets that differ in another tree, ascending, from `first` on. */
  *differing(other: TreeView, first = 0): Generator<number, undefined, undefined> {
    for (let bucket = first; bucket < bucketCount; bucket++) {
      // Where whole subtrees begin that are equal, they are passed over at once.
      let width = 1;
      let node = bucketCount + bucket;
      while (node > 1 && node % 2 === 0 && this.isEqualAt(node / 2, other)) {
        node /= 2;
        width *= 2;
      }
      if (width > 1) bucket += width - 1;
      else if (!this.isEqualAt(node, other)) yield bucket;
    }
    return undefined;
  }

  private isEqualAt(node: number, other: TreeView): boolean {
    const [start, end] = [node * hashBytes, (node + 1) * hashBytes];
    return this.nodes.compare(other.nodes, start, end, start, end) === 0;
  }
}

/** A tree whose buckets change. */
export class HashTree extends TreeView {
  constructor() {
    super(Buffer.alloc(2 * bucketCount * hashBytes));
    // All nodes of one level of the empty tree are equal.
    put(this.nodes, bucketCount, hashOfBucket([]));
    for (let first = bucketCount; first >= 1; first /= 2) {
      const level = this.nodes.subarray(first * hashBytes, 2 * first * hashBytes);
      level.fill(Uint8Array.from(level.subarray(0, hashBytes)));
      if (first > 1) put(this.nodes, first / 2, hashOfNode(this.nodes, first / 2));
    }
  }

  /** Puts the hashes of buckets, and makes those above them right. */
  update(hashes: Iterable<readonly [bucket: number, hash: string]>): void {
    let level = new Set<number>();
    for (const [bucket, hash] of hashes) {
      put(this.nodes, bucketCount + bucket, hash);
      level.add((bucketCount + bucket) >>> 1);
    }
    while (level.size > 0) {
      const above = new Set<number>();
      for (const place of level) {
        put(this.nodes, place, hashOfNode(this.nodes, place));
        if (place > 1) above.add(place >>> 1);
      }
      level = above;
    }
  }

  copy(): Buffer {
    return Buffer.from(this.nodes);
  }
}

function put(nodes: Buffer, place: number, hash: string): void {
  nodes.write(hash, place * hashBytes, 'latin1');
}

const scratch = Buffer.alloc(1 + 2 * hashBytes);

/** SHA-256(0x01 ‖ left child ‖ right child), the children lying side by side. */
function hashOfNode(nodes: Buffer, place: number): string {
  scratch[0] = nodePrefix;
  nodes.copy(scratch, 1, 2 * place * hashBytes, 2 * (place + 1) * hashBytes);
  return sha256Latin1(scratch);
}
