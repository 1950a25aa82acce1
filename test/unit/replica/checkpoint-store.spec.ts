import { describe, expect, it } from '@jest/globals';
import { digest } from '../../../src/pbft/types.js';
import { fieldOf } from '../../../src/replica/state-fields.js';
import { entries, Holding } from '../../support/state-transfer.js';
import { change, ownKey, proofOf, stateKey, Storing } from '../../support/storing.js';

describe('the store of checkpoints', () => {
  it('is empty at first, and a state that was stored is found again', async () => {
    const storing = new Storing(new Holding(entries(300)));
    expect((await storing.restarted()).found).toBeUndefined();
    const of = storing.stabilise(128);
    expect([storing.store.sequence, storing.store.isIdle]).toEqual([0, false]);
    await storing.settle();
    expect(storing.store.sequence).toBe(128);
    const { storing: next, found } = await storing.restarted();
    expect(next.holding.digests).toEqual(storing.holding.digests);
    expect(next.holding.state.snapshotAt(128, of)?.head.time).toBe(1280);
    expect(found?.proof).toEqual(proofOf(128, of));
    expect([next.store.sequence, next.store.isIdle, found?.stale]).toEqual([128, true, []]);
  });

  it('after a crash at any turn holds the checkpoint before or the one after, and goes on from there', async () => {
    const storing = new Storing(new Holding(entries(20)));
    const digests = new Map([[128, storing.stabilise(128)]]);
    const states: ReturnType<typeof storing.broker.store.snapshot>[] = [];
    const found = new Set<number>();
    await storing.settle();
    for (let round = 2; round <= 4; round++) {
      change(storing, round);
      for (let large = 0; large < 16; large++) {
        storing.holding.write([[`large ${String(large)}`, String(round).padEnd(60_000)]]);
      }
      digests.set(128 * round, storing.stabilise(128 * round));
      await storing.settle(async () => void states.push(storing.broker.store.snapshot()));
    }
    expect(states.length).toBeGreaterThan(9);
    for (const state of states) {
      storing.broker.store.rollBack(state);
      const { storing: next } = await storing.restarted();
      const place = next.store.sequence;
      found.add(place);
      expect(next.holding.state.snapshotAt(place)?.digest).toBe(digests.get(place));
      // Whatever was left behind goes, and the next checkpoint is stored and found.
      change(next, 9);
      next.stabilise(1024);
      await next.settle();
      const { storing: last } = await next.restarted();
      expect([last.store.sequence, last.store.isIdle]).toEqual([1024, true]);
      expect(last.holding.digests).toEqual(next.holding.digests);
      expect(next.fields.size).toBe(next.holding.first.map.size + next.holding.second.map.size);
    }
    expect(found).toEqual(new Set([128, 256, 384, 512]));
  });

  it('survives a crash while it cleans up what a crash has left', async () => {
    const storing = new Storing(new Holding(entries(40)));
    storing.stabilise(128);
    await storing.settle();
    change(storing, 3);
    const of = storing.stabilise(256);
    while (storing.store.sequence < 256) await storing.tick();
    const { storing: second } = await storing.restarted(); // committed, nothing swept
    expect(second.store.isIdle).toBe(false);
    await second.tick();
    const { storing: third, found } = await second.restarted();
    expect(third.holding.state.snapshotAt(256)?.digest).toBe(of);
    expect(found?.stale).toEqual([]);
  });

  it('holds as many fields as there are items, over many checkpoints', async () => {
    const storing = new Storing(new Holding(entries(500)));
    for (let round = 1; round <= 40; round++) {
      change(storing, round);
      storing.stabilise(128 * round);
      await storing.settle();
      expect(storing.fields.size).toBe(storing.holding.first.map.size + storing.holding.second.map.size);
    }
    expect(storing.broker.store.keys).toEqual([ownKey, stateKey]);
    expect(storing.holding.first.map.snapshotCount).toBe(1); // it is the stable one, shared
    storing.store.close();
    storing.holding.state.dropBelow(Number.MAX_SAFE_INTEGER);
    expect(storing.holding.first.map.snapshotCount).toBe(0);
  });

  it('writes what has changed alone, in small pieces', async () => {
    const storing = new Storing(new Holding(entries(2000, 1000)));
    storing.stabilise(128);
    let ticks = 0;
    await storing.settle(async () => {
      ticks++;
    });
    expect(ticks).toBeGreaterThan((2000 * 1000) / (32 * 1024));
    const before = new Map(storing.fields);
    storing.holding.write([['key 7', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    const written = [...storing.fields].filter(([field]) => !before.has(field));
    expect(written.map(([field]) => field)).toEqual([fieldOf(0, 256, 'key 7')]);
  });

  it('sweeps in small pieces, also where there is nothing to remove', async () => {
    const keys = 20_000;
    const storing = new Storing(new Holding(entries(keys)));
    storing.stabilise(128);
    let sweeping = 0;
    await storing.settle(async () => void (sweeping += storing.store.sequence === 128 ? 1 : 0));
    expect(sweeping).toBeGreaterThanOrEqual(Math.floor(keys / 1024));
  });

  it('removes no more fields at once where all keys have changed, or are gone', async () => {
    const keys = 2000;
    const storing = new Storing(new Holding(entries(keys)));
    storing.stabilise(128);
    await storing.settle();
    for (const [place, value] of [
      [256, 'another'],
      [384, undefined],
    ] as const) {
      storing.holding.write(entries(keys).map(([key]) => [key, value]));
      storing.stabilise(place);
      let before = storing.fields.size;
      const removed: number[] = [];
      await storing.settle(async () => {
        removed.push(before - storing.fields.size);
        before = storing.fields.size;
      });
      expect(Math.max(...removed)).toBeGreaterThan(0);
      expect(Math.max(...removed)).toBeLessThanOrEqual(256 + 1);
    }
  });

  it('finishes a checkpoint before it goes on to the newest, past those between', async () => {
    const storing = new Storing(new Holding(entries(1000, 1000)));
    storing.stabilise(128);
    await storing.tick();
    await storing.tick();
    for (let round = 2; round <= 9; round++) {
      change(storing, round);
      storing.stabilise(128 * round);
    }
    expect(storing.holding.first.map.snapshotCount).toBe(2);
    const stored = new Set<number>();
    await storing.settle(async () => void stored.add(storing.store.sequence));
    expect([...stored]).toEqual([0, 128, 128 * 9]);
    expect((await storing.restarted()).storing.holding.digests).toEqual(storing.holding.digests);
  });

  it('stores only what is kept here under the digest that is stable, and never goes back', async () => {
    const storing = new Storing(new Holding(entries(5)));
    const of = storing.holding.freeze(256).digest;
    await storing.settle();
    storing.store.onStable(256, digest('0'.repeat(64)), proofOf(256, of));
    storing.store.onStable(128, of, proofOf(128, of));
    expect(storing.store.isIdle).toBe(true);
    storing.store.onStable(256, of, proofOf(256, of));
    await storing.settle();
    storing.stabilise(128);
    expect([storing.store.isIdle, storing.store.sequence]).toEqual([true, 256]);
  });

  it('stores a state that was installed over another as well', async () => {
    const storing = new Storing(new Holding(entries(50)));
    storing.stabilise(128);
    await storing.settle();
    const other = new Holding(entries(70).slice(30)).freeze(512);
    const replaced = storing.holding.state.parts.map((_, part) => {
      const buckets = Array.from(
        { length: 2 ** 14 },
        (_unused, bucket) => [bucket, other.parts[part]?.itemsOf(bucket) ?? []] as const,
      );
      return new Map(buckets);
    });
    const base = storing.holding.state.present();
    storing.holding.state.install({ head: other.head, digest: other.digest, base, replaced });
    base.release();
    storing.store.onStable(512, other.digest, proofOf(512, other.digest));
    await storing.settle();
    const { storing: next } = await storing.restarted();
    expect(next.holding.state.snapshotAt(512)?.digest).toBe(other.digest);
    expect(storing.fields.size).toBe(80);
  });
});
