import { hash } from 'node:crypto';
import { stateTreeWidths } from '../crypto/state-tree.js';

/** Leaves of the tree of a state: a key's bucket is the first 14 bits of its SHA-256. */
export const bucketCount = 2 ** 14;
export const hashBytes = 32;
/** Children of the nodes of a page's middle, which are its leaves; and its root's, which are that middle. */
const [leavesPerMiddle, middlesPerPage] = stateTreeWidths;
/** Nodes that lie one step below a node: the tree is handed to others in steps of two levels, from the root to its middle, from there to the buckets. */
export const nodesPerStep = leavesPerMiddle * middlesPerPage;

/*
 * A page is one step of the tree, its hashes one after the other:
 *
 *   place 0                the root of the page
 *   1 to 8                 its children, the middle
 *   9 to 136               their children, 16 of each: the leaves
 *
 * The leaves of page 0 are the roots of pages 1 to 128, whose leaves are the buckets.
 */
const firstLeaf = 1 + middlesPerPage;
const pageBytes = (firstLeaf + nodesPerStep) * hashBytes;

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
  return textAt(pageOver(below), 0);
}

/** A tree lies in pages, so that a copy shares what has not changed since. */
export type Pages = readonly Buffer[];

/**
 * The hashes as they were at one moment. Nodes that others are told of have numbers: 1 is the root, the roots of its pages begin at
 * `nodesPerStep`, and buckets at `bucketCount`, so that what lies a step below node i begins at `i * nodesPerStep`.
 */
export class TreeView {
  constructor(protected readonly pages: Pages) {}

  /** 32 bytes. */
  get root(): Buffer {
    return Buffer.from(this.hashAt(1), 'latin1');
  }

  /** The hash of a node, 32 Latin-1 characters. */
  hashAt(node: number): string {
    if (node === 1) return textAt(this.page(0), 0);
    if (node < bucketCount) return textAt(this.page(0), firstLeaf + node - nodesPerStep);
    const bucket = node - bucketCount;
    return textAt(this.page(pageOf(bucket)), leafOf(bucket));
  }

  /** The `nodesPerStep` hashes that lie one step below a node: of the root, or of one a step below the root. */
  hashesBelow(node: number): Buffer {
    return this.page(node === 1 ? 0 : 1 + node - nodesPerStep).subarray(firstLeaf * hashBytes);
  }

  /** The hashes beside the way from a bucket to the root, from below, each level's from the left. */
  wayFrom(bucket: number): Buffer {
    const page = pageOf(bucket);
    return Buffer.concat([...besideWay(this.page(page), bucket % nodesPerStep), ...besideWay(this.page(0), page - 1)]);
  }

  /** The buckets that differ in another tree, ascending, from `first` on. */
  *differing(other: TreeView, first = 0): Generator<number, undefined, undefined> {
    for (let bucket = first; bucket < bucketCount; bucket++) {
      const [own, others] = [this.page(pageOf(bucket)), other.page(pageOf(bucket))];
      if (own === others || isEqualAt(own, others, 0)) bucket += nodesPerStep - 1 - (bucket % nodesPerStep);
      else if (!isEqualAt(own, others, leafOf(bucket))) yield bucket;
    }
    return undefined;
  }

  protected page(index: number): Buffer {
    const page = this.pages[index];
    if (page === undefined) throw new RangeError(`page ${index}`);
    return page;
  }
}

/** A tree whose buckets change. What lies above them is right once it is settled. */
export class HashTree extends TreeView {
  /** Pages that nobody else holds. */
  private readonly own = new Set<number>();
  /** Of each page, below which nodes of its middle something has changed, bit by bit. */
  private readonly changed = new Uint16Array(1 + nodesPerStep);

  constructor() {
    super([...emptyPages]);
  }

  /** Puts the hash of a bucket. */
  put(bucket: number, hash: string): void {
    this.putLeaf(pageOf(bucket), bucket % nodesPerStep, hash);
  }

  /** Makes the nodes right that lie above what was put. */
  settle(): void {
    for (let page = nodesPerStep; page >= 0; page--) {
      const middles = this.changed[page] ?? 0;
      if (middles === 0) continue;
      const root = hashAgain(this.owned(page), middles);
      this.changed[page] = 0;
      if (page > 0) this.putLeaf(0, page - 1, root);
    }
  }

  /** The hashes as they are now; what is written later goes into pages of its own. */
  copy(): Pages {
    this.own.clear();
    return [...this.pages];
  }

  private putLeaf(page: number, leaf: number, hash: string): void {
    put(this.owned(page), firstLeaf + leaf, hash);
    this.changed[page] = (this.changed[page] ?? 0) | (1 << Math.trunc(leaf / leavesPerMiddle));
  }

  private owned(index: number): Buffer {
    if (this.own.has(index)) return this.page(index);
    const copy = Buffer.from(this.page(index));
    (this.pages as Buffer[])[index] = copy;
    this.own.add(index);
    return copy;
  }
}

/** The page that holds a bucket, */
function pageOf(bucket: number): number {
  return 1 + Math.trunc(bucket / nodesPerStep);
}

/** and its place there. */
function leafOf(bucket: number): number {
  return firstLeaf + (bucket % nodesPerStep);
}

/** Makes a page right above what has changed, and returns its root. */
function hashAgain(page: Buffer, middles: number): string {
  for (let middle = 0; middle < middlesPerPage; middle++) {
    if ((middles & (1 << middle)) === 0) continue;
    put(page, 1 + middle, hashOfNode(page, firstLeaf + middle * leavesPerMiddle, leavesPerMiddle));
  }
  const root = hashOfNode(page, 1, middlesPerPage);
  put(page, 0, root);
  return root;
}

/** SHA-256(0x01 ‖ the hashes of the children, which lie side by side). */
function hashOfNode(page: Buffer, firstChild: number, width: number): string {
  const bytes = Buffer.allocUnsafe(1 + width * hashBytes);
  bytes[0] = nodePrefix;
  page.copy(bytes, 1, firstChild * hashBytes, (firstChild + width) * hashBytes);
  return sha256Latin1(bytes);
}

/** The hashes beside a leaf, and beside the node of the middle above it. */
function besideWay(page: Buffer, leaf: number): Buffer[] {
  const middle = Math.trunc(leaf / leavesPerMiddle);
  return [
    ...allBut(page, firstLeaf + middle * leavesPerMiddle, leavesPerMiddle, leaf % leavesPerMiddle),
    ...allBut(page, 1, middlesPerPage, middle),
  ];
}

/** The hashes of so many places from `first` on, but for one of them. */
function allBut(page: Buffer, first: number, width: number, left: number): Buffer[] {
  const bytesOf = (from: number, to: number): Buffer =>
    page.subarray((first + from) * hashBytes, (first + to) * hashBytes);
  return [bytesOf(0, left), bytesOf(left + 1, width)];
}

function put(page: Buffer, place: number, hash: string): void {
  page.write(hash, place * hashBytes, 'latin1');
}

function textAt(page: Buffer, place: number): string {
  return page.toString('latin1', place * hashBytes, (place + 1) * hashBytes);
}

function isEqualAt(page: Buffer, other: Buffer, place: number): boolean {
  const [start, end] = [place * hashBytes, (place + 1) * hashBytes];
  return page.compare(other, start, end, start, end) === 0;
}

function pageOver(leaves: Buffer): Buffer {
  const page = Buffer.alloc(pageBytes);
  leaves.copy(page, firstLeaf * hashBytes);
  hashAgain(page, 2 ** middlesPerPage - 1);
  return page;
}

/** The pages of the tree of nothing: all nodes of one level are equal, and so are all pages but the first. */
const emptyPages: Pages = (() => {
  const pageOverEqual = (leaf: string): Buffer => pageOver(Buffer.from(leaf.repeat(nodesPerStep), 'latin1'));
  const page = pageOverEqual(hashOfBucket([]));
  return [pageOverEqual(textAt(page, 0)), ...Array.from({ length: nodesPerStep }, () => page)];
})();
