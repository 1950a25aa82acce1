import { beforeEach, describe, expect, it } from '@jest/globals';
import { Ed25519Signer } from '../../../src/crypto/signatures.js';
import { MemoryBus } from '../../../src/memory/memory-bus.js';
import { logKey } from '../../../src/memory/memory-store.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { splitPacket } from '../../../src/wire/frame.js';
import type { Kind } from '../../../src/wire/kinds.js';
import { packets } from '../../../src/wire/packets.js';
import { digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import { encodeCheckpoint } from '../../../src/wire/views.js';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';
import { Random } from '../../support/seeds.js';

/** With checkpoints every 8: the last four are above the stable one. */
const written = 12;
const get = { op: 'get', key: 'key' };

/** The bundles that the gateway sends, as anybody can hear them. */
async function overhear(cluster: MemoryCluster): Promise<Buffer[]> {
  const bundles: Buffer[] = [];
  await new MemoryBus(cluster.broker, 'eavesdropper').subscribe(['request'], {
    onPayload: (_, payload) => bundles.push(...(splitPacket(payload) as Buffer[])),
    onConnected: () => undefined,
    onDisconnected: () => undefined,
  });
  return bundles;
}

/** Whoever runs Redis may delete, roll back and edit every hash; that may cost liveness, never agreement (rule 30). */
describe('a log in the hands of whoever runs Redis', () => {
  let cluster: MemoryCluster;
  let bundles: Buffer[];

  const stableAt = (place: number) => () =>
    cluster.living.every(({ life }) => life.node.host.replica.stable.sequence >= place);

  beforeEach(async () => {
    cluster = await makeCluster();
    bundles = await overhear(cluster);
    await cluster.write(written);
    await cluster.until('the checkpoint moves', stableAt(8));
  });

  /** Restarts these replicas, with something done to their logs while they are down. */
  async function restart(indices: readonly number[], meddle: (index: number) => void): Promise<void> {
    for (const index of indices) await cluster.crash(index);
    for (const index of indices) meddle(index);
    for (const index of indices) await cluster.startReplica(index);
    await cluster.drain();
  }

  /** All go on, and come to one state. */
  async function expectToGoOn(): Promise<void> {
    await cluster.write(10);
    await cluster.until('all agree', () => cluster.isAgreed);
    expect((await cluster.submit(get)).result).toEqual({ ok: true, found: true, value: written + 10 });
    await cluster.until('all vote again', () => cluster.living.every(({ life }) => life.node.host.notVoting === ''));
    expect(cluster.violations).toEqual([]);
  }

  describe.each([0, 1, 3])('of replica %i', (index) => {
    it('left as it is: it goes on where it was', async () => {
      await cluster.tick(); // what the others said last is written by then
      const before = cluster.life(index).service.stateDigest();
      await restart([index], () => undefined);
      expect(cluster.life(index).service.stateDigest()).toBe(before);
      await expectToGoOn();
    });

    it('deleted: it takes the history from the others, and contradicts nothing', async () => {
      await restart([index], () => {
        cluster.deleteLog(index);
      });
      expect(cluster.life(index).node.host.replica.lastExecuted).toBe(0);
      await expectToGoOn();
    });

    it('rolled back', async () => {
      const copy = cluster.copyLog(index);
      await cluster.write(9);
      await restart([index], () => {
        cluster.putBackLog(index, copy);
      });
      await cluster.write(1);
      await cluster.until('all agree', () => cluster.isAgreed);
      expect(cluster.violations).toEqual([]);
    });

    it("exchanged for another replica's", async () => {
      const names = [cluster.seats[index]!.name, cluster.seats[2]!.name];
      await restart([index], () => {
        const foreign = cluster.copyLog(2);
        const renamed = [...foreign].map(([key, hash]) => [key.replace(names[1]!, names[0]!), hash] as const);
        cluster.putBackLog(index, new Map(renamed));
      });
      await expectToGoOn();
    });

    it('edited at random', async () => {
      const random = new Random(index + 1);
      await restart([index], () => {
        for (const [key, hash] of cluster.copyLog(index)) {
          for (const [field, value] of hash) {
            const chance = random.below(10);
            if (chance < 3 && value.length > 0) value[random.below(value.length)]! ^= 1 << random.below(8);
            const changed = chance === 3 ? value.subarray(0, random.below(value.length + 1)) : value;
            cluster.broker.store.write(key, chance === 4 ? `${field}x` : field, changed);
          }
          if (random.below(10) === 0) cluster.broker.store.delete(key);
        }
      });
      await expectToGoOn();
    });
  });

  it('of all replicas, deleted: nothing else is agreed in place of what was', async () => {
    await restart([0, 1, 2, 3], (index) => {
      cluster.deleteLog(index);
    });
    await expect(cluster.submit(get)).rejects.toMatchObject({ code: 'no-quorum' });
    for (const { life } of cluster.living) expect(life.node.host.replica.lastExecuted).toBe(0);
    expect(cluster.violations).toEqual([]);
  });

  /** As a crash of all at once leaves them, between the data folder and the log, when the primary does not come back and
   * too few have what it proposed: the next view must be told what had prepared. */
  it('of all replicas, without the votes that they had promised: the data folders show what had prepared', async () => {
    await cluster.crash(0);
    await restart([1, 2, 3], (index) => {
      for (let place = 9; place <= written; place++) {
        const key = logKey(cluster.seats[index]!.name, place);
        const said = [...cluster.broker.store.read(key).keys()];
        const lost = said.filter((field) => index === 3 || !field.startsWith('pre-prepare:'));
        for (const field of lost) cluster.broker.store.deleteField(key, field);
      }
    });
    for (const { life } of cluster.living) expect(life.node.host.replica.isAmnesiac).toBe(false);
    await expectToGoOn();
  });

  it('of two, deleted, lets no faulty primary have something else agreed where all had executed', async () => {
    await cluster.crash(0);
    cluster.broker.cut('replica-4');
    await restart([1, 2], (index) => {
      cluster.deleteLog(index);
    });
    cluster.votes.faulty.add(0);
    const { membership, identities } = cluster.founders;
    const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
    const faulty = new Sealer(context, new Ed25519Signer(identities[0]!), 0);
    for (const place of [1, 9, written, written + 1]) {
      const batch = encodeBatch(view(0), cluster.now, [bundles.at(-1)!]);
      const body = encodePhaseBody({ view: view(0), sequence: sequence(place), digest: digestOfBatchBytes(batch) });
      cluster.broker.publish('replica-1', packets('pre-prepare', [faulty.seal('pre-prepare', body, batch)]));
      cluster.broker.publish('replica-1', packets('commit', [faulty.seal('commit', body)]));
    }
    await cluster.tick(200);
    cluster.broker.heal('replica-4');
    await cluster.tick(200);
    expect(cluster.violations).toEqual([]);
  });

  it.each([
    ['which is above the checkpoint', 3],
    ['which is the checkpoint', 7],
  ])('of two, deleted, makes no linearizable read older than the last write, %s', async (_, count) => {
    cluster = await makeCluster();
    await cluster.write(count);
    cluster.broker.cut('replica-4');
    await cluster.submit({ op: 'put', key: 'key', value: 'new' });
    const last = count + 1;
    const due = last - (last % 8);
    await cluster.until('all have settled', () =>
      [0, 1, 2].every((index) => cluster.life(index).node.host.replica.stable.sequence === due),
    );
    await cluster.crash(0);
    await restart([1, 2], (index) => {
      cluster.deleteLog(index);
    });
    // Who was cut off knows what was before, and the two know nothing: nobody must be told either.
    cluster.broker.heal('replica-4');
    for (const query of [get, { op: 'get', key: 'never written' }]) {
      const answer = await cluster
        .outcome(cluster.client.query(query, 'linearizable'))
        .catch((error: unknown) => error);
      if (answer instanceof Error) expect(answer).toMatchObject({ code: 'no-quorum' });
      else expect(answer).toMatchObject({ value: 'new' });
    }
    expect(cluster.violations).toEqual([]);
  });

  it('with messages of a wrong key in it counts none of them', async () => {
    const context = { genesisDigest: cluster.founders.membership.digest, epoch: 0, n: 4 };
    const made = digest('a'.repeat(64));
    const vote = encodePhaseBody({ view: view(0), sequence: sequence(written + 1), digest: made });
    const checkpoint = encodeCheckpoint({ sequence: sequence(16), digest: made });
    await restart([1], () => {
      for (const signer of [0, 1, 2, 3]) {
        const forged = new Sealer(context, new Ed25519Signer(cluster.founders.authority), signer);
        const put = (place: number | 'replica', field: string, kind: Kind, body: Buffer): void => {
          cluster.broker.store.write(
            logKey('replica-2', place),
            `${field}:replica-${signer + 1}`,
            forged.seal(kind, body),
          );
        };
        put(written + 1, 'prepare:0', 'prepare', vote);
        put(written + 1, 'commit:0', 'commit', vote);
        put('replica', 'checkpoint', 'checkpoint', checkpoint);
      }
    });
    const { duplicate: _, ...refused } = Object.fromEntries(cluster.life(1).node.host.refusals.entries());
    expect(refused).toEqual({ 'bad-signature': 12 });
    expect(cluster.life(1).node.host.replica.stable.sequence).toBe(8); // which is stored with the frames that prove it
    await expectToGoOn();
  });
});
