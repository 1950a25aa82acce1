import { describe, expect, it } from '@jest/globals';
import type { PhaseMessage, PrePrepare } from '../../../src/pbft/messages.js';
import { replicaIndex, view } from '../../../src/pbft/types.js';
import { CheckedReplica, executed, refusals, sent, votes } from '../../support/checked-replica.js';
import {
  ask,
  certificate,
  checkpoint,
  commit,
  prepare,
  prePrepare,
  batch,
  proposal,
} from '../../support/core-messages.js';
import { newViewFrom, viewChange } from '../../support/view-messages.js';

const about = proposal(1);
const other = proposal(1, 'somebody else');

/** What replica 1 gets of the instance at `place`, until it executes. */
function instance(place: number): PhaseMessage[] {
  const message = proposal(place);
  return [message, prepare(2, message), commit(0, message), commit(2, message)];
}

/** A replica that has executed 1 and 2, is prepared at 3, and has accepted 4. */
function midway(): CheckedReplica {
  const replica = new CheckedReplica();
  replica.receive(...instance(1), ...instance(2), ...instance(3).slice(0, 2), ...instance(4).slice(0, 1));
  expect(replica.summary).toMatchObject({ lastExecuted: 2, lastPrepared: 3 });
  return replica;
}

describe('a replica that reads its log back', () => {
  it('is where it was before', () => {
    const replica = midway();
    const before = replica.summary;
    replica.restart();
    expect(replica.summary).toEqual(before);
  });

  it('says and answers nothing until its first tick', () => {
    const replica = midway();
    const effects = replica.restart({ isTicked: false });
    expect(executed(effects)).toEqual([1, 2]);
    expect(new Set(effects.map(({ kind }) => kind))).toEqual(new Set(['executed']));
  });

  it('has nothing to say at its first tick that it has said before', () => {
    const replica = midway();
    replica.restart({ isTicked: false });
    expect(votes(replica.tick())).toEqual([]);
  });

  it('goes on where it was, and comes to the same as one that lived on', () => {
    const [one, two] = [midway(), midway()];
    one.restart();
    const rest = [...instance(3).slice(2), ...instance(4).slice(1)];
    expect(one.receive(...rest)).toEqual(two.receive(...rest));
    expect(one.summary).toEqual(two.summary);
  });

  it('answers a repeated request as before', () => {
    const replica = midway();
    const answer = replica.submit(ask('client-1', 1));
    replica.restart();
    expect(replica.submit(ask('client-1', 1))).toEqual(answer);
  });

  it('says again what came to nothing', () => {
    const replica = midway();
    replica.restart();
    const again = sent(replica.ticks(8)) as PhaseMessage[];
    const [third, fourth] = [proposal(3), proposal(4)];
    expect(again).toEqual(expect.arrayContaining([prepare(1, third), commit(1, third), prepare(1, fourth)]));
  });

  it('as primary goes on after what it has proposed, known from its log alone', () => {
    const primary = new CheckedReplica({ self: 0, isStarted: false });
    primary.step({ kind: 'restore', messages: [about] });
    primary.tick();
    expect(votes(primary.submit(ask('c', 1))).map(({ sequence }) => sequence)).toEqual([2]);
  });

  it('takes nothing for restored after its first tick', () => {
    const replica = new CheckedReplica();
    const promise = { kind: 'prepare', view: view(0), sequence: about.sequence, digest: about.digest } as const;
    expect(() => replica.step({ kind: 'promise', promise })).toThrow('invariant violated');
    expect(() => replica.step({ kind: 'restore', messages: [about] })).toThrow('invariant violated');
  });

  it('survives a death at any moment of an instance, without contradicting itself', () => {
    const messages = [...instance(2), ...instance(1)];
    for (let step = 0; step < messages.length; step++) {
      for (let done = 0; done <= 12; done++) {
        const replica = new CheckedReplica();
        replica.receive(...messages.slice(0, step));
        replica.stepAndCrash({ kind: 'message', message: messages[step]! }, (count) => Math.min(done, count));
        // Everybody repeats everything, as they do when there is no progress; what had its proof already is there.
        replica.receive(...instance(1), ...instance(2));
        expect(replica.application.history).toEqual(['client-1#1', 'client-1#2']);
      }
    }
  });

  it('survives the death of a primary at any moment of a proposal: it proposes nothing else at the same place', () => {
    for (let done = 0; done <= 4; done++) {
      const primary = new CheckedReplica({ self: 0 });
      const bundle = ask('c', 1);
      const before = votes(primary.stepAndCrash({ kind: 'request', bundle }, (count) => Math.min(done, count)));
      const after = votes([...primary.submit(ask('d', 1)), ...primary.submit(bundle), ...primary.ticks(100)]);
      const digests = new Map(
        [...before, ...after].map((message) => [`${message.sequence}:${message.digest}`, message.sequence]),
      );
      expect(new Set(digests.values()).size).toBe(digests.size);
    }
  });
});

/** Nothing contradicts what this identity has said, even if its log is gone (rule 28). */
describe('a promise', () => {
  /** A replica whose log is lost, and which has promised these messages. It is not started. */
  function having(...messages: readonly PhaseMessage[]): CheckedReplica {
    const replica = new CheckedReplica({
      self: messages[0]!.replica,
      isStarted: false,
      checkpointInterval: 4,
      logSize: 8,
    });
    for (const { kind, view: number, sequence, digest } of messages) {
      replica.step({ kind: 'promise', promise: { kind, view: number, sequence, digest } });
    }
    return replica;
  }

  it.each(['prepare', 'commit'] as const)('(%s) keeps a replica from voting for another batch there', (kind) => {
    const replica = having(kind === 'prepare' ? prepare(1, about) : commit(1, about));
    replica.tick();
    const effects = replica.receive(other, prepare(2, other), prepare(3, other));
    expect(votes(effects).filter((vote) => vote.kind === kind)).toEqual([]);
  });

  it('to prepare a batch has another one refused', () => {
    const replica = having(prepare(1, about));
    replica.tick();
    expect(refusals(replica.receive(other))).toEqual(['may-have-voted']);
    expect(replica.core.lastPrepared).toBe(0);
  });

  it('may be repeated', () => {
    const replica = having(prepare(1, about), commit(1, about));
    replica.tick();
    expect(votes(replica.receive(about, prepare(2, about)))).toEqual([prepare(1, about), commit(1, about)]);
  });

  it('of another place binds to nothing here', () => {
    const replica = having(prepare(1, proposal(2, 'somebody else')));
    replica.tick();
    expect(votes(replica.receive(about))).toEqual([prepare(1, about)]);
  });

  // It entered view 1 by a NEW-VIEW without asking for it; with its log went what says so.
  it('of a later view binds in this one: nothing is said there, and what prepared then is what prepared', () => {
    const later = { ...other, view: view(1), replica: replicaIndex(1) } as PrePrepare;
    const replica = having(commit(1, later));
    replica.step({ kind: 'restore', messages: [later, prepare(2, later), prepare(3, later)] });
    replica.tick();
    expect(replica.core.view).toBe(0);
    expect(votes(replica.receive(about, prepare(2, about), prepare(3, about)))).toEqual([]);
    expect(replica.core.preparedAt(about.sequence)?.prePrepare.view).toBe(1);
  });

  it('to have proposed something keeps a primary from proposing there again', () => {
    const primary = having(proposal(3));
    primary.tick();
    expect(votes(primary.submit(ask('c', 1))).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('of a later view keeps the primary of this one, whose log is lost, from proposing there (seed 309790)', () => {
    const later = { ...prepare(0, proposal(2)), view: view(1) };
    const primary = having(later);
    primary.tick();
    const places = [1, 2, 3].flatMap((timestamp) => votes(primary.submit(ask('c', timestamp))));
    expect(places.map(({ sequence }) => sequence)).toEqual([1]);
  });

  it('of an earlier view does not hold up the primary of this one', () => {
    const primary = having(proposal(5));
    primary.step({ kind: 'restore-view', message: newViewFrom([1, 2, 3].map((one) => viewChange(one, 4))) });
    primary.tick();
    expect(primary.core.view).toBe(4);
    expect(votes(primary.submit(ask('c', 1))).map(({ sequence }) => sequence)).toEqual([1]);
  });

  it('from before a restart holds after it, too, however often', () => {
    const replica = new CheckedReplica();
    replica.receive(about);
    replica.log.lose(1);
    replica.restart();
    replica.restart();
    expect(refusals(replica.receive(other))).toEqual(['may-have-voted']);
  });

  /** Peers bring the replica up to here, checkpoints and all. */
  function catchUp(replica: CheckedReplica, last: number): void {
    for (let place = 1; place <= last; place++) {
      const effects = replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
      for (const message of sent(effects)) {
        if (message.kind !== 'checkpoint') continue;
        replica.receive(checkpoint(2, place, message.digest), checkpoint(3, place, message.digest));
      }
    }
    expect(replica.core.highWaterMark).toBeGreaterThan(last);
  }

  it('beyond the window of a replica whose log is lost binds when the window gets there', () => {
    const replica = having(prepare(1, proposal(10)), commit(1, proposal(10)));
    replica.tick();
    catchUp(replica, 9);
    const contradicting = proposal(10, 'somebody else');
    expect(votes(replica.receive(contradicting, prepare(2, contradicting), prepare(3, contradicting)))).toEqual([]);
  });

  it('to commit counts as prepared, though no log shows it: a read must not be older', () => {
    const replica = having(commit(1, proposal(3)), prepare(1, proposal(5)));
    replica.tick();
    expect(replica.core.lastPrepared).toBe(3);
  });

  it('keeps nothing open of what it has promised long ago: its log is lost, and it executes everything again', () => {
    const replica = new CheckedReplica({ isStarted: false, logSize: 8, checkpointInterval: 4 });
    const places = Array.from({ length: 100 }, (_, index) => index + 1);
    for (const place of places) {
      const { kind, view: said, sequence: at, digest } = commit(1, proposal(place));
      replica.step({ kind: 'promise', promise: { kind, view: said, sequence: at, digest } });
    }
    replica.tick();
    for (const place of places) {
      const effects = replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
      expect(executed(effects)).toEqual([place]);
    }
    expect(replica.core.isAmnesiac).toBe(true);
  });

  it('beyond the window of a primary whose log is lost keeps it from proposing there again', () => {
    const primary = having(proposal(10));
    primary.tick();
    catchUp(primary, 9);
    expect(votes(primary.submit(ask('c', 1))).map(({ sequence }) => sequence)).not.toContain(10);
  });
});

/** Promises up to a stable checkpoint are forgotten, and the log may be lost: what was said there is not known any more. */
describe('where a checkpoint was stable', () => {
  function settled(self: number, place: number): CheckedReplica {
    const replica = new CheckedReplica({ self, isStarted: false });
    replica.step({ kind: 'settled', sequence: proposal(place).sequence });
    replica.tick();
    return replica;
  }

  it('a replica votes on nothing again', () => {
    const replica = settled(1, 5);
    for (const place of [1, 5]) {
      const message = proposal(place);
      expect(votes(replica.receive(message, prepare(2, message), prepare(3, message)))).toEqual([]);
    }
    const next = proposal(6);
    expect(votes(replica.receive(next, prepare(2, next)))).toEqual([prepare(1, next), commit(1, next)]);
  });

  it('a primary proposes nothing again', () => {
    const primary = settled(0, 2);
    const places = [1, 2, 3].flatMap((timestamp) => votes(primary.submit(ask('c', timestamp))));
    expect(places.map(({ sequence }) => sequence)).toEqual([3, 4]);
  });

  it('a read is not answered as if nothing had been prepared there', () => {
    expect(settled(1, 5).core.lastPrepared).toBe(5);
  });

  it('a replica cannot go to a later view with others, and does as soon as it can', () => {
    const replica = new CheckedReplica({ self: 1, isStarted: false, checkpointInterval: 4, logSize: 8 });
    replica.step({ kind: 'settled', sequence: proposal(4).sequence });
    replica.tick();
    replica.receive(viewChange(2, 3), viewChange(0, 3));
    expect(replica.core.view).toBe(0);
    const said = [1, 2, 3, 4].flatMap((place) =>
      sent(replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) })),
    );
    const own = said.find((message) => message.kind === 'checkpoint');
    replica.receive(...[0, 2].map((peer) => checkpoint(peer, 4, own!.digest)));
    expect(replica.tick()).toContainEqual({ kind: 'view', view: 3, isChanging: true });
  });

  it('takes no telling after the start', () => {
    const replica = settled(1, 5);
    expect(() => replica.step({ kind: 'settled', sequence: proposal(9).sequence })).toThrow('invariant violated');
  });
});

/** Whoever runs Redis may edit a log (rule 30); what is in it is signed, but may stand where it does not belong. */
describe('a log that was tampered with', () => {
  function restored(...messages: readonly PhaseMessage[]): CheckedReplica {
    const replica = new CheckedReplica({ isStarted: false });
    replica.step({ kind: 'restore', messages });
    return replica;
  }

  it('can not make the PREPARE of a primary count', () => {
    const replica = restored(about, prepare(1, about), prepare(0, about));
    expect(votes(replica.tick())).toEqual([]);
    expect(replica.core.lastPrepared).toBe(0);
  });

  it('can not make the PRE-PREPARE of a backup count', () => {
    const usurped: PrePrepare = prePrepare(1, batch([ask('c', 1)]), { replica: 2 });
    const replica = restored(usurped, prepare(3, usurped));
    expect(votes(replica.tick())).toEqual([]);
    expect(votes(replica.receive(about))).toEqual([prepare(1, about)]);
  });

  it('can not make votes for two batches count as votes for one', () => {
    const replica = restored(about, prepare(1, about), prepare(2, other), prepare(3, other), commit(2, other));
    expect(votes(replica.tick())).toEqual([]);
    expect(replica.core.lastPrepared).toBe(0);
  });

  it('can not have a proposal voted for that was never found right: it is judged when it is heard', () => {
    const replica = restored({ ...about, batch: { ...about.batch!, time: 10 ** 15 } });
    expect(votes(replica.tick())).toEqual([]);
    expect(votes(replica.receive(about)).map(({ kind }) => kind)).toEqual(['prepare']);
  });

  it('that lacks what a stable checkpoint rests on costs a new beginning, not the replica', () => {
    const replica = new CheckedReplica({ checkpointInterval: 4, logSize: 8 });
    for (let place = 1; place <= 4; place++) {
      for (const message of sent(replica.receive(...instance(place)))) {
        if (message.kind !== 'checkpoint') continue;
        replica.receive(checkpoint(2, place, message.digest), checkpoint(3, place, message.digest));
      }
    }
    expect(replica.core.highWaterMark).toBe(12);
    replica.log.lose(2);
    expect(() => replica.restart()).not.toThrow();
    expect(replica.application.history).toEqual(['client-1#1']);
  });
});
