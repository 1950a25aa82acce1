import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeFrame, splitPacket } from '../../../src/wire/frame.js';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';

/** K = 8, L = 16: see test/support/cluster.ts. */
const logSize = 16;
/** A status goes out every ten ticks. */
const statusTicks = 10;

/** Who has signed the one frame in a packet. */
function signerIn(payload: Buffer, digest: Buffer): number | undefined {
  const [frame] = splitPacket(payload);
  const decoded = decodeFrame(frame as Buffer, digest);
  return typeof decoded === 'string' ? undefined : decoded.signer;
}

describe('a replica whose promises are gone (rule 28)', () => {
  let cluster: MemoryCluster;

  beforeEach(async () => {
    cluster = await makeCluster();
    await cluster.write(12);
  });

  afterEach(() => {
    expect(cluster.violations).toEqual([]);
  });

  /** Replica 3 dies, and its promises and its log are deleted. */
  async function forgetEverything(): Promise<void> {
    await cluster.crash(3);
    cluster.seats[3]!.promises.lose();
    cluster.deleteLog(3);
  }

  it('asks its peers, and says nothing up to where it may have said something', async () => {
    await forgetEverything();
    const starting = cluster.startReplica(3);
    await cluster.tick(2 * statusTicks);
    await starting;
    const { promises } = cluster.seats[3]!;
    expect(promises.isLost).toBe(false);
    expect(promises.settled).toBe(12 + logSize);
    expect(promises.read()).toMatchObject([{ kind: 'view-change', view: 1 }]);
    await cluster.until('it has what the others have', () => cluster.isAgreed);
    await cluster.write(3);
    await cluster.until('it keeps up', () => cluster.isAgreed);
    expect(promises.read()).toHaveLength(1);
  });

  it('waits while too few of them are there: a liar alone could have it believe anything', async () => {
    await forgetEverything();
    await cluster.crash(2);
    const starting = cluster.startReplica(3);
    await cluster.tick(10 * statusTicks);
    expect(cluster.seats[3]!.promises.isLost).toBe(true);
    await cluster.startReplica(2);
    await cluster.tick(2 * statusTicks);
    await starting;
    expect(cluster.seats[3]!.promises.isLost).toBe(false);
  });

  it('takes no word of those who know no more than it does: they are reading their own logs', async () => {
    await cluster.write(48);
    for (const { index } of cluster.seats) await cluster.crash(index);
    cluster.seats[3]!.promises.lose();
    cluster.deleteLog(3);
    for (const index of [0, 1, 2]) cluster.deleteLog(index); // they have lost theirs as well, and know it
    const starting = cluster.startReplica(3);
    for (const index of [0, 1, 2]) await cluster.startReplica(index);
    await cluster.tick(4 * statusTicks);
    expect(cluster.seats[3]!.promises.isLost).toBe(true);
    await cluster.crash(0);
    void starting.catch(() => undefined);
  });

  it('does not believe what was said before it was there', async () => {
    const old: Buffer[] = [];
    const { broker, founders } = cluster;
    broker.tamper = (message) => {
      if (message.channel === 'status' && message.to === 'gateway-1') old.push(message.payload);
      return [message];
    };
    await cluster.tick(2 * statusTicks);
    broker.tamper = (message) => [message];
    await forgetEverything();
    for (const index of [0, 1, 2]) await cluster.crash(index);
    const starting = cluster.startReplica(3);
    await cluster.tick(); // it listens
    for (const payload of old) broker.publish('', [{ channel: 'status', payload }]);
    await cluster.tick(2 * statusTicks);
    expect(new Set(old.map((payload) => signerIn(payload, founders.membership.digest)))).toEqual(new Set([0, 1, 2, 3]));
    expect(cluster.seats[3]!.promises.isLost).toBe(true);
    for (const index of [0, 1, 2]) await cluster.startReplica(index);
    await cluster.tick(2 * statusTicks);
    await starting;
  });

  it('takes part again in a view above all that it may have asked for', async () => {
    await forgetEverything();
    const starting = cluster.startReplica(3);
    await cluster.tick(2 * statusTicks);
    await starting;
    await cluster.write(40);
    await cluster.crash(0);
    await cluster.write(3);
    expect(cluster.seats[3]!.promises.read().some(({ kind }) => kind === 'commit')).toBe(true);
    await cluster.until('they agree', () => cluster.isAgreed);
  });
});
