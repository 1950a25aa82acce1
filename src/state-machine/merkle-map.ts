import { invariant } from '../pbft/invariant.js';
import { digest, type Digest } from '../pbft/types.js';
import { bucketCount, bucketOf, hashOfBucket, HashTree, TreeView, type Pages } from './hash-tree.js';

/** An item that was written over, and is not in its bucket yet. */
interface Overwriting<I extends Item> {
  readonly bucket: number;
  item: I;
}

/** One thing in a map. Never changed once it is made: snapshots share it. */
export interface Item {
  readonly key: string;
  /** SHA-256 over key and content, 32 Latin-1 characters. */
  readonly hash: string;
  /** What it counts towards `MerkleMap.bytes`. */
  readonly bytes: number;
}

/**
 * A map from keys to items with a digest that depends on its content alone, never on how it came about. Only buckets
 * that were written since the last `digest()` are hashed again (rule 24), so that a checkpoint does not stop the world.
 *
 * `freeze` keeps the content as it is now, for as long as somebody needs it: to hand it to others, or to store it. It
 * copies nothing: what is written later is kept apart, of the hashes page by page, of the items bucket by bucket.
 */
export class MerkleMap<I extends Item> {
  /** Each bucket's items in the order of their keys (by UTF-16 code units). */
  private readonly buckets = Array.from({ length: bucketCount }, (): I[] => []);
  /**
   * What was written over items that are there, the first written first: their buckets hold what they held. Most writes are to keys that
   * were written shortly before, and find here, in one place, what else is spread over the memory.
   */
  private readonly overwritten = new Map<string, Overwriting<I>>();
  /** The key that was looked for last: to write a new one it is looked for three times, and its bucket costs a hash. */
  private sought = { key: '', bucket: bucketOf('') };
  private readonly tree = new HashTree();
  /** Buckets that were written since they were last hashed, the first written first, */
  private readonly dirty = new Set<number>();
  /** and how many were hashed since the last digest. */
  private hashedSinceDigest = 0;
  /** Those that are still needed, the oldest first. */
  private readonly snapshots: MerkleSnapshot<I>[] = [];
  private bytesHeld = 0;
  private count = 0;

  /** Bytes of all items. */
  get bytes(): number {
    return this.bytesHeld;
  }

  /** How many items there are. */
  get size(): number {
    return this.count;
  }

  /** So many buckets at most were written since the last digest; one that was hashed twice counts twice. */
  get changedBuckets(): number {
    return this.overwritten.size + this.dirty.size + this.hashedSinceDigest;
  }

  get(key: string): I | undefined {
    const over = this.overwritten.get(key);
    if (over !== undefined) return over.item;
    return itemIn(this.bucket(this.find(key)), key);
  }

  /** How many items share this key's bucket, its own included if it is there. */
  sizeOfBucketOf(key: string): number {
    return this.bucket(this.find(key)).length;
  }

  set(item: I): void {
    const over = this.overwritten.get(item.key);
    if (over !== undefined) {
      this.bytesHeld += item.bytes - over.item.bytes;
      over.item = item;
      return;
    }
    const bucket = this.find(item.key);
    const before = itemIn(this.bucket(bucket), item.key);
    this.bytesHeld += item.bytes - (before?.bytes ?? 0);
    if (before !== undefined) {
      this.overwritten.set(item.key, { bucket, item });
      return;
    }
    const items = this.toBeWritten(bucket);
    items.splice(rankOf(items, item.key), 0, item);
    this.count++;
  }

  /** @returns whether it was there. */
  delete(key: string): boolean {
    const before = this.get(key);
    if (before === undefined) return false;
    this.overwritten.delete(key);
    const items = this.toBeWritten(this.find(key));
    items.splice(rankOf(items, key), 1);
    this.bytesHeld -= before.bytes;
    this.count--;
    return true;
  }

  /** All items, in no particular order. */
  *items(): Generator<I, undefined, undefined> {
    this.putIntoBucketsAllBut(0);
    for (const items of this.buckets) yield* items;
    return undefined;
  }

  /** A bucket's items in the order of their keys (by UTF-16 code units). */
  itemsOf(bucket: number): readonly I[] {
    this.putIntoBucketsAllBut(0);
    return this.bucket(bucket).slice();
  }

  /**
   * Hashes what was written longest ago, until no more than so many items that were written over, and so many buckets, are left to `digest`, with
   * the nodes above all buckets: at most 1,161, for a millisecond.
   */
  hashAhead(left: number): void {
    this.putIntoBucketsAllBut(left);
    for (const bucket of this.dirty) {
      if (this.dirty.size <= left) return;
      this.tree.put(bucket, hashOfBucket(this.bucket(bucket)));
      this.hashedSinceDigest++;
      this.dirty.delete(bucket);
    }
  }

  /** The root over all buckets. Costs about the number of items in the buckets written since they were last hashed. */
  digest(): Digest {
    this.hashAhead(0);
    this.tree.settle();
    this.hashedSinceDigest = 0;
    return digest(this.tree.root.toString('hex'));
  }

  /** The content as it is now; to be released when nobody needs it any more. */
  freeze(): MerkleSnapshot<I> {
    this.digest();
    const snapshot = new MerkleSnapshot<I>(this.tree.copy(), this);
    this.snapshots.push(snapshot);
    return snapshot;
  }

  /** How many snapshots are held. */
  get snapshotCount(): number {
    return this.snapshots.length;
  }

  /**
   * Becomes what `base`, a snapshot of this map, held, with some buckets replaced; each with its items, of that bucket
   * and in the order of their keys. Other snapshots stay what they are.
   */
  install(base: MerkleSnapshot<I>, replaced: ReadonlyMap<number, readonly I[]>): void {
    this.digest();
    for (const bucket of [...this.tree.differing(base)]) {
      if (!replaced.has(bucket)) this.replace(bucket, base.itemsOf(bucket));
    }
    for (const [bucket, items] of replaced) this.replace(bucket, items);
  }

  /** What a snapshot of this map holds in a bucket: for its own use. */
  frozenItemsOf(snapshot: MerkleSnapshot<I>, bucket: number): readonly I[] {
    const index = this.snapshots.indexOf(snapshot);
    invariant(index >= 0, 'a snapshot is read that was released');
    // What was not kept for this snapshot has not changed until the next one was taken.
    for (const { kept } of this.snapshots.slice(index)) {
      const items = kept.get(bucket);
      if (items !== undefined) return items;
    }
    return this.bucket(bucket).slice(); // what was written over since is not in it yet
  }

  /** For a snapshot's own use. */
  releaseSnapshot(snapshot: MerkleSnapshot<I>): void {
    const index = this.snapshots.indexOf(snapshot);
    if (index < 0) return;
    this.snapshots.splice(index, 1);
    const older = this.snapshots[index - 1];
    if (older === undefined) return;
    for (const [bucket, items] of snapshot.kept) if (!older.kept.has(bucket)) older.kept.set(bucket, items);
  }

  private putIntoBucketsAllBut(left: number): void {
    for (const [key, { bucket, item }] of this.overwritten) {
      if (this.overwritten.size <= left) return;
      const items = this.toBeWritten(bucket);
      items[rankOf(items, key)] = item;
      this.overwritten.delete(key);
    }
  }

  private find(key: string): number {
    if (key !== this.sought.key) this.sought = { key, bucket: bucketOf(key) };
    return this.sought.bucket;
  }

  private bucket(bucket: number): I[] {
    const items = this.buckets[bucket];
    invariant(items !== undefined, 'there is no such bucket');
    return items;
  }

  private toBeWritten(bucket: number): I[] {
    this.keepForSnapshots(bucket);
    this.dirty.add(bucket);
    return this.bucket(bucket);
  }

  private replace(bucket: number, items: readonly I[]): void {
    const before = this.toBeWritten(bucket);
    for (const { bytes } of before) this.bytesHeld -= bytes;
    for (const { bytes } of items) this.bytesHeld += bytes;
    this.count += items.length - before.length;
    this.buckets[bucket] = items.slice();
  }

  /** Before a bucket is written. Only the youngest snapshot needs to keep it: older ones look there, too. */
  private keepForSnapshots(bucket: number): void {
    const youngest = this.snapshots[this.snapshots.length - 1];
    if (youngest !== undefined && !youngest.kept.has(bucket)) youngest.kept.set(bucket, this.bucket(bucket).slice());
  }
}

function itemIn<I extends Item>(items: readonly I[], key: string): I | undefined {
  const item = items[rankOf(items, key)];
  return item?.key === key ? item : undefined;
}

/** Where a key's item is among items in the order of their keys, or would be. */
function rankOf(items: readonly Item[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a map held when it was frozen. */
export class MerkleSnapshot<I extends Item> extends TreeView {
  /** Buckets that were written since, as they were; the map's own business. */
  readonly kept = new Map<number, readonly I[]>();

  constructor(
    pages: Pages,
    private readonly map: MerkleMap<I>,
  ) {
    super(pages);
  }

  /** A bucket's items in the order of their keys. */
  itemsOf(bucket: number): readonly I[] {
    return this.map.frozenItemsOf(this, bucket);
  }

  /** All items, bucket by bucket. */
  *items(): Generator<I, undefined, undefined> {
    for (let bucket = 0; bucket < bucketCount; bucket++) yield* this.itemsOf(bucket);
    return undefined;
  }

  /** Lets the map forget it. It must not be read again. */
  release(): void {
    this.map.releaseSnapshot(this);
  }
}
