import { describe, expect, it } from '@jest/globals';
import type { Checkpoint } from '../../src/pbft/messages.js';
import { digest, replicaIndex, sequence, type Digest } from '../../src/pbft/types.js';
import { CheckedReplica, executed, refusals, replies, sent, sentKinds, votes } from '../support/checked-replica.js';
import { RecordingApplication } from '../support/recording-application.js';
import { ask, certificate, checkpoint, commit, prepare, proposal } from '../support/core-messages.js';

/** K = 4, L = 8. */
const small = { checkpointInterval: 4, logSize: 8 };

/** Lets replica 1 of 4 execute `first` … `last`, with votes of its own. */
function execute(replica: CheckedReplica, first: number, last: number): void {
  for (let place = first; place <= last; place++) {
    const about = proposal(place);
    replica.receive(about, prepare(2, about), commit(0, about), commit(2, about));
  }
  expect(replica.core.lastExecuted).toBe(last);
}

/** Replica 1 of 4, which has executed up to `last`; and the state that it has told of each checkpoint. */
function having(last: number, options = {}) {
  const replica = new CheckedReplica({ ...small, ...options });
  const told = new Map<number, Digest>();
  for (let place = 1; place <= last; place++) {
    const about = proposal(place);
    const effects = replica.receive(about, prepare(2, about), commit(0, about), commit(2, about));
    for (const message of sent(effects)) if (message.kind === 'checkpoint') told.set(message.sequence, message.digest);
  }
  const checkpointOf = (signer: number, place: number): Checkpoint => checkpoint(signer, place, told.get(place)!);
  return { replica, told, checkpointOf };
}

/** "Checkpoints are generated periodically, when a request with a sequence number divisible by some constant is executed." */
describe('a checkpoint (OSDI §4.3)', () => {
  it('is told after every K sequence numbers', () => {
    const { replica, told } = having(8);
    expect([...told.keys()]).toEqual([4, 8]);
    expect(told.get(4)).not.toBe(told.get(8));
    expect(replica.core.stable).toEqual({ sequence: 0, proof: [] });
  });

  it('is seen to come by the service, which may prepare for it', () => {
    const application = new RecordingApplication();
    having(6, { application: () => application });
    expect(application.untilCheckpoint).toEqual([3, 2, 1, 0, 3, 2]);
  });

  it('becomes stable with q matching ones, the own among them, and not before', () => {
    const { replica, checkpointOf } = having(5);
    replica.receive(checkpointOf(0, 4));
    expect(replica.core.stable.sequence).toBe(0);
    const effects = replica.receive(checkpointOf(3, 4));
    expect(effects.at(-1)).toMatchObject({ kind: 'stable', checkpoint: { sequence: 4 } });
    expect(new Set(replica.core.stable.proof.map((message) => message.replica))).toEqual(new Set([0, 1, 3]));
    expect(replica.core.highWaterMark).toBe(4 + small.logSize);
  });

  it.each([
    { what: 'one replica twice', signers: [0, 0] },
    { what: 'itself, in somebody’s hands', signers: [1, 0] },
  ])('does not become stable through $what', ({ signers }) => {
    const { replica, checkpointOf } = having(4);
    const effects = replica.receive(...signers.map((signer) => checkpointOf(signer, 4)));
    expect(refusals(effects)).toContain('duplicate');
    expect(replica.core.stable.sequence).toBe(0);
  });

  it('does not become stable through a second word of one who told something else first', () => {
    const { replica, checkpointOf } = having(4);
    replica.receive(checkpoint(0, 4, digest('other')), checkpointOf(0, 4), checkpointOf(2, 4));
    expect(replica.core.stable.sequence).toBe(0);
    replica.receive(checkpointOf(3, 4));
    expect(replica.core.stable.sequence).toBe(4);
  });

  it('counts before the own one is there, and is stable as soon as that is', () => {
    const { checkpointOf } = having(4);
    const replica = new CheckedReplica(small);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4), checkpointOf(3, 4));
    expect(replica.core.stable.sequence).toBe(0); // it has no such state, so it must not throw away how to get there
    execute(replica, 1, 4);
    expect(replica.core.stable.sequence).toBe(4);
  });

  it('is refused between the intervals, and below the stable one', () => {
    const { replica, checkpointOf } = having(4);
    expect(refusals(replica.receive(checkpoint(0, 3, digest('x'))))).toEqual(['invalid-checkpoint']);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4));
    expect(refusals(replica.receive(checkpointOf(3, 4)))).toEqual(['already-executed']);
  });

  it('is told again while it is not stable, the latest only', () => {
    const { replica, checkpointOf } = having(8);
    expect(sent(replica.ticks(8)).filter(({ kind }) => kind === 'checkpoint')).toEqual([
      checkpointOf(1, 8),
      checkpointOf(1, 8),
    ]);
    replica.receive(checkpointOf(0, 8), checkpointOf(2, 8));
    expect(sentKinds(replica.ticks(8))).toEqual([]);
  });
});

/** "It discards all pre-prepare, prepare, and commit messages with sequence number less than or equal to n from its log." */
describe('a stable checkpoint (OSDI §4.3)', () => {
  it('frees what the log holds at and below it, and nothing else', () => {
    const { replica, checkpointOf } = having(6);
    const kept = (place: number): boolean =>
      replica.core.batchOf(sequence(place), proposal(place).digest) !== undefined;
    expect([1, 4, 5, 6].map(kept)).toEqual([true, true, true, true]);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4));
    expect([1, 4, 5, 6].map(kept)).toEqual([false, false, true, true]);
  });

  it('lets nothing at or below it in any more', () => {
    const { replica, checkpointOf } = having(4);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4));
    const [below, above] = [proposal(4, 'other'), proposal(5)];
    expect(refusals(replica.receive(below, prepare(2, below), commit(2, below)))).toEqual(
      Array(3).fill('already-executed'),
    );
    expect(votes(replica.receive(above))).toEqual([prepare(1, above)]);
  });

  it('moves the high water mark, for which a primary waits, in order', () => {
    const primary = new CheckedReplica({ ...small, self: 0, instancesInFlightMax: 8 });
    const proposed = (effects = primary.submit()) => votes(effects).map(({ sequence: place }) => place);
    const told = [];
    for (let place = 1; place <= 8; place++) {
      const effects = primary.submit(ask('c', place));
      expect(proposed([...effects])).toEqual([place]);
      const about = votes(effects)[0]!;
      told.push(...sent(primary.receive(prepare(1, about), prepare(2, about), commit(1, about), commit(2, about))));
    }
    expect(primary.core.lastExecuted).toBe(8);
    expect(proposed(primary.submit(ask('c', 9), ask('c', 10)))).toEqual([]);
    const fourth = told.find((message) => message.kind === 'checkpoint')!;
    const effects = primary.receive({ ...fourth, replica: replicaIndex(1) }, { ...fourth, replica: replicaIndex(2) });
    expect(proposed(effects)).toEqual([9]);
  });

  it('comes to one that was away as soon as it has executed so far and gets the proof', () => {
    const { checkpointOf } = having(8);
    const laggard = new CheckedReplica(small);
    for (let place = 1; place <= 8; place++) {
      laggard.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
    }
    expect(laggard.core.stable.sequence).toBe(0);
    laggard.receive(checkpointOf(0, 8), checkpointOf(2, 8));
    expect(laggard.core.stable.sequence).toBe(8);
    expect(laggard.core.highWaterMark).toBe(16);
  });

  it('is stable after a restart, too', () => {
    const { replica, checkpointOf } = having(6);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4));
    const before = replica.summary;
    replica.restart();
    expect(replica.core.stable.sequence).toBe(4);
    expect(replica.core.stable.proof).toHaveLength(3);
    expect(replica.summary).toEqual(before);
  });
});

/** A replica whose state is not what q replicas have (rule 26). */
describe('a corrupt replica', () => {
  const wrong = digest('what the others have');
  const others = [0, 2, 3].map((signer) => checkpoint(signer, 4, wrong));

  it.each([
    { when: 'its own comes first', early: 0 },
    { when: 'some come before its own', early: 2 },
    { when: 'all come before its own', early: 3 },
  ])('knows that it is, when $when', ({ early }) => {
    const replica = new CheckedReplica(small);
    replica.receive(...others.slice(0, early));
    execute(replica, 1, 4);
    replica.receive(...others.slice(early));
    expect(replica.core.isCorrupt).toBe(true);
    expect(replica.core.stable.sequence).toBe(0);
  });

  it('is not one that f replicas say it is', () => {
    const replica = new CheckedReplica(small);
    execute(replica, 1, 4);
    replica.receive(...others.slice(0, 2));
    expect(replica.core.isCorrupt).toBe(false);
  });

  it('votes no more, answers no more, tells no state, asks for no view and begins none', () => {
    const replica = new CheckedReplica({ ...small, requestTimeoutTicks: 4, viewChangeTimeoutTicks: 4 });
    execute(replica, 1, 4);
    replica.receive(...others);
    const about = proposal(5);
    const effects = [
      ...replica.receive(about, prepare(2, about), prepare(3, about), commit(0, about), commit(2, about)),
      ...replica.submit(ask('client-1', 1), ask('new', 1)),
      ...[5, 6, 7, 8].flatMap((place) =>
        replica.step({ kind: 'certificate', certificate: certificate(proposal(place), [0, 2, 3]) }),
      ),
      ...replica.ticks(50),
    ];
    expect(executed(effects)).toEqual([5, 6, 7, 8]);
    expect(sent(effects)).toEqual([]);
    expect(replies(effects)).toEqual([]);
  });

  it('is as good as new when it has computed the right state from its log again', () => {
    const { checkpointOf } = having(4);
    const spoilt = new RecordingApplication();
    spoilt.checkpoint = () => wrong;
    const lives = [spoilt, new RecordingApplication()];
    const replica = new CheckedReplica({ ...small, application: () => lives.shift()! });
    execute(replica, 1, 4);
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4), checkpointOf(3, 4));
    expect(replica.core.isCorrupt).toBe(true);
    replica.restart();
    replica.receive(checkpointOf(0, 4), checkpointOf(2, 4), checkpointOf(3, 4));
    expect(replica.core.isCorrupt).toBe(false);
    expect(replica.core.stable.sequence).toBe(4);
  });
});
