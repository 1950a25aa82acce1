import { bucketCount, bucketOf, hashBytes, hashOfList, hashOfStep, nodesPerStep } from '../state-machine/hash-tree.js';
import type { Item, MerkleSnapshot } from '../state-machine/merkle-map.js';
import { stateTransferLimits, type BucketOffset, type BucketPage } from '../wire/state-transfer.js';
import type { Part } from './checkpointed-state.js';

/** A bucket of which something is here: everything in it is verified. */
interface Staging {
  readonly hash: string;
  /** The hashes of its items, one after the other. */
  readonly list: string;
  readonly items: Item[];
}

const rootNode = 1;
const emptyBucket = hashOfList('');

/**
 * What is still unknown of one part of a checkpoint, and what is known: first the hashes where the tree differs from our
 * own, then the buckets that differ. Everything is verified against a hash that was verified before, back to the root,
 * so that it can come from anybody. When the checkpoint changes, what is equal in the new one stays.
 */
export class PartFetch {
  /** The hashes below nodes of the tree, with the node's own. */
  private readonly below = new Map<number, { readonly hash: string; readonly hashes: Buffer }>();
  /** Nodes whose hashes below are not known, with their own. */
  private readonly openNodes = new Map<number, string>();
  /** Buckets that differ from ours, with their hashes. */
  private readonly wanted = new Map<number, string>();
  private readonly staged = new Map<number, Staging>();
  private readonly openBuckets = new Set<number>();
  /** Nodes and buckets that somebody was asked for. */
  private readonly asked = new Set<number>();

  constructor(
    private readonly part: Part,
    /** Where equal hashes need not be asked for: our own state. */
    private readonly own: MerkleSnapshot<Item>,
  ) {}

  /** Begins, or goes on with the state of another checkpoint. */
  aim(root: string): void {
    this.openNodes.clear();
    this.wanted.clear();
    this.asked.clear();
    this.openBuckets.clear();
    if (this.own.hashAt(rootNode) !== root) this.visit(rootNode, root);
    this.settleBuckets();
  }

  get isComplete(): boolean {
    return this.openNodes.size === 0 && this.openBuckets.size === 0;
  }

  /** The buckets that differ from ours, whole. */
  get replaced(): ReadonlyMap<number, readonly Item[]> {
    return new Map([...this.staged].map(([bucket, { items }]) => [bucket, items]));
  }

  /** Nodes to ask for. */
  takeNodes(): number[] {
    const open = [...this.openNodes.keys()].filter((node) => !this.asked.has(node));
    const nodes = open.slice(0, stateTransferLimits.nodesMax);
    for (const node of nodes) this.asked.add(node);
    return nodes;
  }

  /** Buckets to ask for, and from where on; none before all nodes are known. */
  takeBuckets(): BucketOffset[] {
    const from: BucketOffset[] = [];
    if (this.openNodes.size > 0) return from;
    for (const bucket of this.openBuckets) {
      if (from.length >= stateTransferLimits.bucketsMax) break;
      if (this.asked.has(bucketCount + bucket)) continue;
      this.asked.add(bucketCount + bucket);
      from.push({ bucket, offset: this.staged.get(bucket)?.items.length ?? 0 });
    }
    return from;
  }

  /** Whoever was asked does not answer: others will be. */
  giveBack(nodes: readonly number[], from: readonly BucketOffset[]): void {
    for (const node of nodes) this.asked.delete(node);
    for (const { bucket } of from) this.asked.delete(bucketCount + bucket);
  }

  /** @returns whether it is all true; what is not is not taken */
  onNodes(nodes: readonly number[], below: readonly Buffer[]): boolean {
    const isTrue = below.length === nodes.length && below.every((hashes, index) => this.isBelow(nodes[index], hashes));
    if (!isTrue) return false;
    for (const [index, node] of nodes.entries()) {
      const [hash, hashes] = [this.openNodes.get(node), below[index]];
      if (hash === undefined || hashes === undefined) continue;
      this.openNodes.delete(node);
      this.below.set(node, { hash, hashes: Buffer.from(hashes) }); // a copy: it came with much else
      this.visit(node, hash);
    }
    this.settleBuckets();
    return true;
  }

  /** @returns whether it is all true; what is not is not taken, nor what comes after it */
  onPages(from: readonly BucketOffset[], pages: readonly BucketPage[]): boolean {
    if (pages.length === 0 || pages.length > from.length) return false;
    return pages.every((page, index) => {
      const asked = from[index];
      return asked !== undefined && this.onPage(asked, page, index < pages.length - 1);
    });
  }

  private isBelow(node: number | undefined, hashes: Buffer): boolean {
    return node !== undefined && hashOfStep(hashes) === this.openNodes.get(node);
  }

  /** Goes down from a node that differs from ours, as far as hashes are known. */
  private visit(node: number, hash: string): void {
    const known = this.below.get(node);
    if (known?.hash !== hash) {
      this.openNodes.set(node, hash);
      return;
    }
    for (let index = 0; index < nodesPerStep; index++) {
      const child = node * nodesPerStep + index;
      const childHash = known.hashes.toString('latin1', index * hashBytes, (index + 1) * hashBytes);
      if (this.own.hashAt(child) === childHash) continue;
      if (child < bucketCount) this.visit(child, childHash);
      else this.wanted.set(child - bucketCount, childHash);
    }
  }

  /** Once it is known which buckets differ: keeps of what is here what is still right, and opens the rest. */
  private settleBuckets(): void {
    if (this.openNodes.size > 0) return;
    for (const [bucket, { hash }] of this.staged) if (this.wanted.get(bucket) !== hash) this.staged.delete(bucket);
    for (const [bucket, hash] of this.wanted) {
      if (hash === emptyBucket) this.staged.set(bucket, { hash, list: '', items: [] });
      if (!this.isWhole(bucket)) this.openBuckets.add(bucket);
    }
  }

  private isWhole(bucket: number): boolean {
    const staging = this.staged.get(bucket);
    return staging !== undefined && staging.items.length * hashBytes === staging.list.length;
  }

  private onPage({ bucket, offset }: BucketOffset, { hashes, items }: BucketPage, isFollowed: boolean): boolean {
    const hash = this.wanted.get(bucket);
    const staging = offset === 0 ? this.begin(hash, hashes) : this.staged.get(bucket);
    const isExpected = offset === 0 || hashes.length === 0;
    if (hash === undefined || staging?.items.length !== offset || !isExpected) return false;
    if (items.length === 0) return false; // buckets without items are not asked for
    for (const bytes of items) {
      const item = this.part.decode(Buffer.from(bytes)); // a copy: what it keeps must not hold the whole packet
      if (item === undefined || !isNext(staging, item) || bucketOf(item.key) !== bucket) return false;
      staging.items.push(item);
    }
    this.staged.set(bucket, staging);
    this.asked.delete(bucketCount + bucket);
    if (this.isWhole(bucket)) this.openBuckets.delete(bucket);
    return this.isWhole(bucket) || !isFollowed;
  }

  private begin(hash: string | undefined, hashes: Buffer): Staging | undefined {
    const list = hashes.toString('latin1');
    return hash !== undefined && hashOfList(list) === hash ? { hash, list, items: [] } : undefined;
  }
}

/** Whether the item is the next one of its bucket's list; which is in the order of keys. */
function isNext({ list, items }: Staging, { key, hash }: Item): boolean {
  const start = items.length * hashBytes;
  const last = items.at(-1);
  return list.slice(start, start + hashBytes) === hash && (last === undefined || last.key < key);
}
