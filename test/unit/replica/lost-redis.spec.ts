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

  /** All of them die, and go on from what Redis and the data folders hold. */
  async function restartAll(): Promise<void> {
    for (const { seat } of cluster.living) await cluster.crash(seat.index);
    for (const { index } of cluster.seats) await cluster.startReplica(index);
  }

  /** In time it all is in Redis again: a restart loses nothing. */
  async function expectToBeWrittenAgain(): Promise<void> {
    await cluster.tick(noticedTicks);
    const before = cluster.positions;
    await restartAll();
    await cluster.tick(20);
    expect(cluster.positions).toEqual(before);
  }

  it.each([
    { writes: 5, what: 'before the first checkpoint' },
    { writes: 21, what: 'after some' },
  ])('is filled again from their memory, so that all of them can restart: $what', async ({ writes }) => {
    await cluster.write(writes);
    wipe();
    await cluster.tick(noticedTicks);
    await restartAll();
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

  it('is noticed though checkpoints were stored since: nothing that was stored before is taken for there', async () => {
    for (let key = 0; key < 20; key++) await cluster.submit({ op: 'put', key: `key ${key}`, value: key });
    await cluster.tick(20);
    wipe();
    await cluster.write(20);
    await expectToBeWrittenAgain();
  });

  it('that was set back while it was away is written anew', async () => {
    await cluster.write(21);
    await cluster.tick(20);
    const old = cluster.broker.store.snapshot();
    for (let key = 0; key < 20; key++) await cluster.submit({ op: 'put', key: `key ${key}`, value: key });
    for (const { name } of cluster.seats) cluster.broker.cut(name);
    cluster.broker.store.rollBack(old);
    for (const { name } of cluster.seats) cluster.broker.heal(name);
    await expectToBeWrittenAgain();
  });

  it('is filled again in the middle of a view change, too', async () => {
    await cluster.write(10);
    await cluster.crash(0);
    await cluster.write(3);
    wipe();
    await cluster.tick(noticedTicks);
    await restartAll();
    await cluster.write(1);
    await cluster.until('they agree', () => cluster.isAgreed);
  });
});
