import { describe, expect, it } from '@jest/globals';
import { sha256 } from '../../../src/crypto/digest.js';
import { ClientTable } from '../../../src/pbft/client-table.js';
import { limits } from '../../../src/pbft/configuration.js';
import type { CachedReply, Executed } from '../../../src/pbft/effects.js';
import { sequence, view } from '../../../src/pbft/types.js';
import { ReplyTree, type ReplyItem } from '../../../src/replica/reply-tree.js';
import { bucketCount, bucketOf } from '../../../src/state-machine/hash-tree.js';
import { digestOfRequest } from '../../../src/wire/bundle.js';
import { proveReplies } from '../../../src/wire/reply.js';
import { forEachSeed, type Random } from '../../support/seeds.js';

interface Asked {
  readonly client: string;
  readonly timestamp: number;
  readonly result: Buffer;
}

/** What executing these at `place` leaves in the cache. */
function executedAt(place: number, asked: readonly Asked[]): CachedReply[] {
  const items = asked.map(({ client, timestamp, result }, index): Executed => {
    const operationDigest = sha256(Buffer.from(`${client} ${timestamp}`));
    const requestDigest = digestOfRequest(client, timestamp, operationDigest);
    return { client, timestamp, requestDigest, operationDigest, result, index };
  });
  const leaves = items.map(({ requestDigest, result }) => ({ requestDigest, resultDigest: sha256(result) }));
  const { root, path } = proveReplies(leaves);
  const statement = { view: view(place % 3), sequence: sequence(place), size: items.length, root };
  return items.map((executed, index) => {
    return { executed, resultDigest: leaves[index]!.resultDigest, statement, path: path(index) };
  });
}

/** A table with its tree, as a replica has them. */
class Cache {
  readonly table = new ClientTable();
  readonly tree = new ReplyTree();

  execute(place: number, asked: readonly Asked[]): void {
    this.table.add(executedAt(place, asked));
  }

  checkpoint(): string {
    this.tree.apply(this.table.takeChanges());
    return this.tree.map.digest();
  }

  /** Another replica's, which got every item of this one's last checkpoint, in whatever order. */
  transferred(random: Random): Cache {
    const other = new Cache();
    const items = random.shuffled([...this.tree.map.items()]);
    for (const item of items) other.tree.map.set(reread(this.tree, item));
    other.table.restore(other.tree.table());
    return other;
  }
}

function reread(tree: ReplyTree, item: ReplyItem): ReplyItem {
  const found = tree.decode(tree.encode(item));
  if (found === undefined) throw new Error(`${item.key} cannot be read back`);
  expect([found.key, found.hash]).toEqual([item.key, item.hash]);
  return found;
}

function batchOf(random: Random, next: Map<string, number>): Asked[] {
  const asked = Array.from({ length: 1 + random.below(100) }, (): Asked => {
    const client = `gateway-${random.below(4)}`;
    const timestamp = (next.get(client) ?? 0) + random.below(3);
    next.set(client, timestamp + 1);
    return { client, timestamp, result: Buffer.alloc(random.pick([0, 10, 3000]), timestamp) };
  });
  return [...asked, { client: `key:${random.below(1000)}`, timestamp: 1, result: Buffer.from('once') }];
}

describe('the reply cache as a part of the state', () => {
  it('goes on at a replica that fetched it as at one that executed everything', () => {
    forEachSeed(4, (random) => {
      const next = new Map<string, number>();
      const old = new Cache();
      let place = 0;
      for (; place < 30; place++) old.execute(place + 1, batchOf(random, next));
      const agreed = old.checkpoint();
      const young = old.transferred(random);
      expect(young.checkpoint()).toBe(agreed);
      for (; place < 90; place++) {
        const batch = batchOf(random, next);
        for (const cache of [old, young]) cache.execute(place + 1, batch);
        if (place % 10 === 0) expect(young.checkpoint()).toBe(old.checkpoint());
      }
      expect(young.table.clients).toBe(old.table.clients);
    });
  });

  it('forgets in the same order afterwards: what left a window, and who left the table', () => {
    forEachSeed(2, (random) => {
      const old = new Cache();
      const result = Buffer.alloc(limits.resultBytesMax);
      // Every reply is so large that a window holds 250 or so.
      const large = (place: number): Asked[] =>
        Array.from({ length: 40 }, (_, index) => ({ client: 'large', timestamp: place * 100 + index, result }));
      for (let place = 1; place <= 10; place++) old.execute(place, large(place));
      old.checkpoint();
      const young = old.transferred(random);
      for (let place = 11; place <= 14; place++) for (const cache of [old, young]) cache.execute(place, large(place));
      expect(young.checkpoint()).toBe(old.checkpoint());
      const first = {
        client: 'large',
        timestamp: 100,
        operation: Buffer.of(),
        operationDigest: sha256(Buffer.of()),
        digest: sha256(Buffer.of()),
      };
      expect([old, young].map(({ table }) => table.standing(first))).toEqual(['stale', 'stale']);
    });
  });

  it('is bounded though every request is a client of its own: the replies go, and that they were executed stays', () => {
    const caches = [new Cache(), new Cache()];
    const result = Buffer.alloc(limits.resultBytesMax);
    const perBatch = 64;
    const batches = Math.ceil((1.2 * limits.replyCacheBytesMax) / (perBatch * limits.resultBytesMax));
    const name = (index: number): string => `key:${index}`;
    for (let place = 1; place <= batches; place++) {
      const asked = Array.from({ length: perBatch }, (_, index) => {
        return { client: name(place * perBatch + index), timestamp: 1, result };
      });
      for (const cache of caches) cache.execute(place, asked);
      caches[1]!.checkpoint();
    }
    const [one, two] = caches as [Cache, Cache];
    expect(one.checkpoint()).toBe(two.checkpoint());
    const held = one.tree.table().groups.reduce((sum, { replies }) => sum + replies.length * result.length, 0);
    expect(held).toBeLessThanOrEqual(limits.replyCacheBytesMax);
    expect(one.table.clients).toBe(batches * perBatch);
    const standing = (index: number) =>
      one.table.standing({
        client: name(index),
        timestamp: 1,
        operation: Buffer.of(),
        operationDigest: sha256(Buffer.of()),
        digest: sha256(Buffer.of()),
      });
    expect([standing(perBatch), standing(batches * perBatch)]).toEqual(['stale', 'executed']);
  });

  it('has no bucket that clients can fill by trying names', () => {
    const cache = new Cache();
    const names: string[] = [];
    for (let index = 0; names.length < 32; index++) {
      const name = `key:${index}`;
      if (bucketOf(`c${name}`) === bucketOf('ckey:0')) names.push(name);
    }
    const asked = names.map((client): Asked => ({ client, timestamp: 1, result: Buffer.of() }));
    cache.execute(1, asked);
    cache.checkpoint();
    const sizes = Array.from({ length: bucketCount }, (_, bucket) => cache.tree.map.itemsOf(bucket).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(2 * names.length);
    expect(Math.max(...sizes)).toBeLessThan(4);
  });

  it('holds one item for each client, wherever it executed last, and none for a group that is gone', () => {
    const cache = new Cache();
    const result = Buffer.alloc(limits.resultBytesMax);
    for (let place = 1; place <= 20; place++) {
      const asked = Array.from({ length: 40 }, (_, index) => ({ client: 'c', timestamp: place * 100 + index, result }));
      cache.execute(place, asked);
      cache.checkpoint();
      const { headers, groups } = cache.tree.table();
      expect(headers).toMatchObject([{ client: 'c', lastSequence: place, lastIndex: 39 }]);
      // A window of 16 MiB holds the last six or seven of these.
      const places = new Set(groups.map(({ statement }) => statement.sequence));
      expect(Math.min(...places)).toBe(Math.max(1, place - 6));
    }
  });

  it('has items that fit into a frame with others, however large the batch was', () => {
    const cache = new Cache();
    const many = Array.from({ length: 1024 }, (_, index) => {
      return { client: 'c', timestamp: index, result: Buffer.alloc(index % 8 === 0 ? limits.resultBytesMax : 5) };
    });
    cache.execute(1, many);
    cache.checkpoint();
    for (const item of cache.tree.map.items()) expect(cache.tree.encode(item).length).toBeLessThan(256 * 1024);
  });

  it('has no other encoding for an item: each change of a byte gives another item or none', () => {
    const cache = new Cache();
    cache.execute(
      3,
      [1, 2, 3].map((timestamp) => ({ client: 'c', timestamp, result: Buffer.from('result') })),
    );
    cache.checkpoint();
    for (const item of cache.tree.map.items()) {
      const bytes = cache.tree.encode(item);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 + (at % 255);
        const found = cache.tree.decode(changed);
        expect(found === undefined || found.hash !== item.hash || found.key !== item.key).toBe(true);
        expect(cache.tree.decode(bytes.subarray(0, at))).toBeUndefined();
      }
      expect(cache.tree.decode(Buffer.concat([bytes, Buffer.of(0)]))).toBeUndefined();
    }
  });
});
