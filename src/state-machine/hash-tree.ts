import { hash } from 'node:crypto';

/** Leaves of the tree of a state: a key's bucket is the first 14 bits of its SHA-256. */
export const bucketCount = 2 ** 14;
/** The tree is handed to others in steps of so many levels: from the root to its middle, from there to the buckets. */
const levelsPerStep = 7;
export const hashBytes = 32;
/** Nodes that lie one step below a node. */
export const nodesPerStep = 2 ** levelsPerStep;

const scratch = Buffer.alloc(1 + 2 * hashBytes);

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
  const page = Buffer.concat([Buffer.alloc(below.length), below]);
  hashAgain(page, new Uint8Array(2 * nodesPerStep).fill(1));
  return page.toString('latin1', hashBytes, 2 * hashBytes);
}

/**
 * A tree lies in pages, so that a copy shares what has not changed since: one for the nodes down to the middle, and one for
 * the subtree below each node there. In a page nodes are a binary heap of hashes: 1 is its root, and the lower half its leaves,
 * which in the first page are the roots of the others.
 */
export type Pages = readonly Buffer[];

/** The page that holds a node, and its place in it. Node 1 is the root, `bucketCount + b` is bucket b. */
function placeOf(node: number): { readonly page: number; readonly place: number } {
  if (node < nodesPerStep) return { page: 0, place: node };
  const depth = 31 - Math.clz32(node) - levelsPerStep;
  return { page: 1 + (node >>> depth) - nodesPerStep, place: (1 << depth) | (node & ((1 << depth) - 1)) };
}

/** The hashes as they were at one moment. */
export class TreeView {
  constructor(protected readonly pages: Pages) {}

  /** 32 bytes. */
  get root(): Buffer {
    return Buffer.from(this.hashAt(1), 'latin1');
  }

  /** The hash of a node of the heap, 32 Latin-1 characters. */
  hashAt(node: number): string {
    const { page, place } = placeOf(node);
    return this.pages[page]?.toString('latin1', place * hashBytes, (place + 1) * hashBytes) ?? '';
  }

  hashOfBucket(bucket: number): string {
    return this.hashAt(bucketCount + bucket);
  }

  /** The `nodesPerStep` hashes that lie one step below a node: of the root, or of one a step below the root. */
  hashesBelow(node: number): Buffer {
    const first = node * nodesPerStep;
    const hashes = Array.from({ length: nodesPerStep }, (_, index) => this.hashAt(first + index));
    return Buffer.from(hashes.join(''), 'latin1');
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
    const { page, place } = placeOf(node);
    const [own, others] = [this.pages[page], other.pages[page]];
    if (own === undefined || others === undefined || own === others) return own === others;
    const [start, end] = [place * hashBytes, (place + 1) * hashBytes];
    return own.compare(others, start, end, start, end) === 0;
  }
}

/** The pages of the tree of nothing: all nodes of one level are equal, and so are all pages but the first. */
const emptyPages: Pages = (() => {
  const pageOver = (leaf: string): Buffer => {
    const page = Buffer.alloc(2 * nodesPerStep * hashBytes);
    for (let place = nodesPerStep; place < 2 * nodesPerStep; place++) put(page, place, leaf);
    hashAgain(page, new Uint8Array(2 * nodesPerStep).fill(1));
    return page;
  };
  const page = pageOver(hashOfBucket([]));
  const top = pageOver(page.toString('latin1', hashBytes, 2 * hashBytes));
  return [top, ...Array.from({ length: nodesPerStep }, () => page)];
})();

/** A tree whose buckets change. */
export class HashTree extends TreeView {
  /** Pages that nobody else holds. */
  private readonly own = new Set<number>();

  constructor() {
    super([...emptyPages]);
  }

  /** Puts the hashes of buckets, and makes those above them right. */
  update(hashes: Iterable<readonly [bucket: number, hash: string]>): void {
    const changed = new Map<number, ChangedPlaces>();
    for (const [bucket, hash] of hashes) {
      const page = 1 + Math.trunc(bucket / nodesPerStep);
      const place = nodesPerStep + (bucket % nodesPerStep);
      const places = changed.get(page) ?? new Uint8Array(2 * nodesPerStep);
      put(this.owned(page), place, hash);
      places[place] = 1;
      changed.set(page, places);
    }
    if (changed.size === 0) return;
    const top = this.owned(0);
    const topPlaces = new Uint8Array(2 * nodesPerStep);
    for (const [page, places] of changed) {
      const nodes = this.owned(page);
      hashAgain(nodes, places);
      const place = nodesPerStep + page - 1;
      nodes.copy(top, place * hashBytes, hashBytes, 2 * hashBytes);
      topPlaces[place] = 1;
    }
    hashAgain(top, topPlaces);
  }

  /** The hashes as they are now; what is written later goes into pages of its own. */
  copy(): Pages {
    this.own.clear();
    return [...this.pages];
  }

  private owned(page: number): Buffer {
    const pages = this.pages as Buffer[];
    const nodes = pages[page];
    if (nodes === undefined) throw new RangeError(`page ${page}`);
    if (this.own.has(page)) return nodes;
    const copy = Buffer.from(nodes);
    pages[page] = copy;
    this.own.add(page);
    return copy;
  }
}

/** For each place of a page whether its hash is another now: 1, or 0. */
type ChangedPlaces = Uint8Array;

/** Makes the nodes of a page right that lie above what has changed. */
function hashAgain(nodes: Buffer, changed: ChangedPlaces): void {
  for (let place = nodesPerStep - 1; place >= 1; place--) {
    if (changed[2 * place] !== 1 && changed[2 * place + 1] !== 1) continue;
    put(nodes, place, hashOfNode(nodes, place));
    changed[place] = 1;
  }
}

function put(nodes: Buffer, place: number, hash: string): void {
  nodes.write(hash, place * hashBytes, 'latin1');
}

/** SHA-256(0x01 ‖ left child ‖ right child), the children lying side by side. */
function hashOfNode(nodes: Buffer, place: number): string {
  const children = 2 * place * hashBytes;
  scratch[0] = nodePrefix;
  nodes.copy(scratch, 1, children, children + 2 * hashBytes); // not byte by byte: a checkpoint is too rare for compiled code
  return sha256Latin1(scratch);
}
