import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';

/** Ticks between two looks at what is stored, and time to write it anew. */
const noticedTicks = 260;

describe('a Redis that has lost everything while the replicas live', () => {
  let cluster: MemoryCluster;

  beforeEach(async () => {
    cluster = await makeCluster(); // K = 8, L = 16
  });

  afterEach(() => {
    expect(cluster.violations).toEqual([]);
  });

  function wipe(): void {
    for (const key of cluster.broker.store.keys) cluster.broker.store.delete(key);
  }

  it.each([
    { writes: 5, what: 'before the first checkpoint' },
    { writes: 21, what: 'after some' },
  ])('is filled again from their memory, so that all of them can restart: $what', async ({ writes }) => {
    await cluster.write(writes);
    wipe();
    await cluster.tick(noticedTicks);
    for (const { index } of cluster.seats) await cluster.crash(index);
    for (const { index } of cluster.seats) await cluster.startReplica(index);
    await cluster.tick(20);
    expect(cluster.living.map(({ life }) => life.node.host.replica.lastExecuted)).toEqual([
      writes,
      writes,
      writes,
      writes,
    ]);
    const { result } = await cluster.submit({ op: 'increment', key: 'key', by: 1 });
    expect(result).toMatchObject({ value: writes + 1 });
  });

  it('is filled again in the middle of a view change, too', async () => {
    await cluster.write(10);
    await cluster.crash(0);
    await cluster.write(3);
    wipe();
    await cluster.tick(noticedTicks);
    for (const index of [1, 2, 3]) await cluster.crash(index);
    for (const { index } of cluster.seats) await cluster.startReplica(index);
    await cluster.write(1);
    await cluster.until('they agree', () => cluster.isAgreed);
  });
});
