import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryOutbox } from '../../../src/memory/memory-outbox.js';
import { logKey } from '../../../src/memory/memory-store.js';
import { ReplyTree } from '../../../src/replica/reply-tree.js';
import { decodeFrame, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { decodePhaseBody, decodeProposal, digestOfBatchBytes, isBundleName } from '../../../src/wire/phase.js';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';

const put = { op: 'put', key: 'a', value: 1 };

/** Rule 27: our own words are in the log before they are out. The words of others wait for these, so that a reply waits for no disk. */
describe('what goes out together', () => {
  let cluster: MemoryCluster;

  beforeEach(async () => {
    cluster = await makeCluster();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** The fields of replica 1's hash for a sequence number. */
  const fieldsAt = (place: number): string[] => {
    const { name } = cluster.seats[1]!;
    return [...cluster.broker.store.read(logKey(name, place)).keys()].sort();
  };
  const executedInLog = (): string | undefined =>
    cluster.broker.store.get(logKey(cluster.seats[1]!.name, 'replica'), 'last-executed')?.toString();
  const namesOf = (kind: string): string[] => cluster.seats.map(({ name }) => `${kind}:0:${name}`);

  it('is a reply alone, once a batch is executed: whose COMMITs it rests on is written by the next tick', async () => {
    await cluster.submit(put);
    expect(fieldsAt(1)).toContain(`commit:0:${cluster.seats[1]!.name}`);
    expect(cluster.life(1).node.host.replica.lastExecuted).toBeGreaterThan(0);
    expect(executedInLog()).toBeUndefined();
    expect(fieldsAt(1).filter((field) => field.startsWith('commit:'))).toHaveLength(1);
    await cluster.tick();
    expect(Number(executedInLog())).toBe(cluster.life(1).node.host.replica.lastExecuted);
    expect(fieldsAt(1).filter((field) => namesOf('commit').includes(field)).length).toBeGreaterThanOrEqual(3);
  });

  it('is a PRE-PREPARE that names its bundles, and in every log the same one with its batch', async () => {
    const said = jest.spyOn(MemoryOutbox.prototype, 'send');
    await cluster.submit(put);
    const { digest } = cluster.founders.membership;
    const publications = said.mock.calls.flatMap(([turn]) => turn.publications);
    const frames = publications
      .filter(({ channel }) => channel === 'pre-prepare')
      .flatMap(({ payload }) => splitPacket(Buffer.from(payload)) as Buffer[])
      .map((bytes) => decodeFrame(bytes, digest) as Frame);
    expect(frames).toHaveLength(1);
    const [sent] = frames;
    expect(decodeProposal(sent!.attachment).bundles.map(isBundleName)).toEqual([true]);
    for (const { name } of cluster.seats) {
      const logged = cluster.broker.store.get(logKey(name, 1), 'pre-prepare:0');
      const { body, signature, attachment } = decodeFrame(Buffer.from(logged!), digest) as Frame;
      expect([body, signature]).toEqual([sent!.body, sent!.signature]);
      expect(digestOfBatchBytes(attachment)).toBe(decodePhaseBody('pre-prepare', 0, body).digest);
    }
  });

  it('is a reply before the reply tree has it, for which nobody waits', async () => {
    const done: string[] = [];
    const { send } = MemoryOutbox.prototype;
    jest.spyOn(MemoryOutbox.prototype, 'send').mockImplementation(function (this: MemoryOutbox, turn) {
      if (turn.publications.some(({ channel }) => channel.startsWith('reply:'))) done.push('reply');
      return send.call(this, turn);
    });
    const { apply } = ReplyTree.prototype;
    jest.spyOn(ReplyTree.prototype, 'apply').mockImplementation(function (this: ReplyTree, changes) {
      done.push('tree');
      apply.call(this, changes);
    });
    await cluster.submit(put);
    await cluster.until('all have executed it', () =>
      cluster.living.every(({ life }) => life.node.host.replica.lastExecuted === 1),
    );
    // All replicas share this process, and each of them goes on from one to the other at once.
    expect(done).toEqual(cluster.seats.flatMap(() => ['reply', 'tree']));
  });

  it('is all that was not written yet, as soon as there is a word of ours', async () => {
    await cluster.submit(put);
    expect(executedInLog()).toBeUndefined();
    await cluster.submit({ ...put, key: 'b' });
    expect(fieldsAt(1).filter((field) => field.startsWith('commit:')).length).toBeGreaterThanOrEqual(3);
    expect(executedInLog()).toBe('1');
    expect(fieldsAt(2).filter((field) => field.startsWith('commit:'))).toHaveLength(1);
  });

  it('is lost with a process that dies before, and learnt again', async () => {
    await cluster.submit(put);
    for (const index of [0, 1, 2, 3]) await cluster.crash(index);
    for (const index of [0, 1, 2, 3]) await cluster.startReplica(index);
    await cluster.until('all have executed it again', () =>
      cluster.living.every(({ life }) => life.node.host.replica.lastExecuted === 1),
    );
    expect((await cluster.submit({ op: 'get', key: 'a' })).result).toMatchObject({ value: 1 });
    expect(cluster.violations).toEqual([]);
  });
});
