import { describe, expect, it } from '@jest/globals';
import type { ViewChange } from '../../src/pbft/messages.js';
import { digest, replicaIndex, sequence } from '../../src/pbft/types.js';
import { CheckedReplica, refusals, sent, sentKinds } from '../support/checked-replica.js';
import { ask, batch, commit, prepare, prePrepare, proposal } from '../support/core-messages.js';
import { wantingView1, whereabouts } from '../support/in-view.js';
import { certified, newViewFrom, stableAt, viewChange } from '../support/view-messages.js';

/** Replica 1 of 4, whose view-change timer ends after 8 ticks, and whose request timer does after 4. */
const hasty = { requestTimeoutTicks: 4, viewChangeTimeoutTicks: 8 };

/** "View changes are triggered by timeouts that prevent backups from waiting indefinitely for requests to execute." */
describe('a backup asks for the next view (OSDI §4.4)', () => {
  it('when a request that it knows is not executed in time, and not before', () => {
    const backup = new CheckedReplica(hasty);
    backup.submit(ask('c', 1));
    expect(sentKinds(backup.ticks(3))).toEqual([]);
    expect(sent(backup.ticks(1))).toEqual([viewChange(1, 1)]);
    expect(whereabouts(backup)).toBe('wants 1');
  });

  it('not while requests are executed in time', () => {
    const backup = new CheckedReplica(hasty);
    for (let place = 1; place <= 10; place++) {
      backup.submit(ask('client-1', place));
      backup.ticks(2);
      const about = proposal(place);
      backup.receive(about, prepare(2, about), commit(0, about), commit(2, about));
      backup.ticks(2);
    }
    backup.ticks(50);
    expect(whereabouts(backup)).toBe('in 0');
  });

  it('not for having been cut off', () => {
    const backup = new CheckedReplica(hasty);
    backup.submit(ask('c', 1));
    for (let tick = 0; tick < 50; tick++) backup.step({ kind: 'tick', now: 0, isConnected: false });
    expect(whereabouts(backup)).toBe('in 0');
  });

  it('when others overtake one request for too long', () => {
    const backup = new CheckedReplica(hasty);
    backup.submit(ask('censored', 1));
    backup.receive(proposal(1));
    for (let place = 1; place <= 12 && !backup.core.isChangingView; place++) {
      const about = proposal(place);
      // The next one is under way: the primary leaves nothing lying, but for that request.
      backup.receive(proposal(place + 1), prepare(2, about), commit(0, about), commit(2, about));
      expect(backup.core.lastExecuted).toBe(place);
      backup.ticks(3);
    }
    expect(whereabouts(backup)).toBe('wants 1');
  });

  it('at once when the primary contradicts itself over its own signature', () => {
    const backup = new CheckedReplica();
    const effects = backup.receive(proposal(1), proposal(1, 'other'));
    expect(sent(effects)).toEqual([prepare(1, proposal(1)), viewChange(1, 1)]);
    expect(effects.map(({ kind }) => kind)).toContain('evidence');
  });

  it('and passes on the requests that wait, before and after, since nobody else may know of them', () => {
    const backup = new CheckedReplica(hasty);
    backup.submit(ask('c', 1));
    const forwarded = (ticks: number) => backup.ticks(ticks).filter(({ kind }) => kind === 'forward');
    expect(forwarded(4)).toEqual([{ kind: 'forward', bundles: [ask('c', 1)] }]);
    expect(whereabouts(backup)).toBe('wants 1');
    expect(forwarded(12)).toHaveLength(3);
  });
});

/** ⟨VIEW-CHANGE, v+1, n, C, P, i⟩ (OSDI §4.4). */
describe('a VIEW-CHANGE', () => {
  it('tells the stable checkpoint with its proof, and what prepared above it, whole', () => {
    const replica = new CheckedReplica({ checkpointInterval: 4, logSize: 8 });
    for (let place = 1; place <= 4; place++) {
      const about = proposal(place);
      const effects = replica.receive(about, prepare(2, about), commit(0, about), commit(2, about));
      const own = sent(effects).find((message) => message.kind === 'checkpoint');
      if (own !== undefined)
        replica.receive({ ...own, replica: replicaIndex(0) }, { ...own, replica: replicaIndex(3) });
    }
    for (const place of [6, 5]) replica.receive(proposal(place), prepare(3, proposal(place)));
    replica.receive(proposal(7)); // accepted, not prepared
    const effects = replica.receive(proposal(8), proposal(8, 'other'));
    const message = sent(effects).at(-1) as ViewChange;
    expect(message).toMatchObject({ kind: 'view-change', view: 1, replica: 1, stable: { sequence: 4 } });
    expect(new Set(message.stable.proof.map((one) => one.replica))).toEqual(new Set([0, 1, 3]));
    expect(message.prepared.map(({ prePrepare }) => prePrepare.sequence)).toEqual([5, 6]);
    for (const { prePrepare: about, prepares } of message.prepared) {
      expect(about).toEqual(proposal(about.sequence));
      expect(prepares).toEqual([prepare(1, about), prepare(3, about)]);
    }
  });

  it('is in the log before it is sent, and sent again until the view is there', () => {
    const replica = wantingView1({ resendTicks: 4 });
    const message = viewChange(2, 1);
    const again = sent(replica.ticks(12));
    expect(again).toEqual([message, message, message]);
    replica.receive(newViewFrom([0, 1, 3].map((one) => viewChange(one, 1))));
    expect(whereabouts(replica)).toBe('in 1');
    expect(sentKinds(replica.ticks(12))).toEqual([]);
  });

  const about = proposal(1);
  const beyond = { ...proposal(1), sequence: sequence(100) };
  it.each([
    { what: 'a checkpoint that too few prove', message: viewChange(0, 1, { stable: stableAt(16, [0, 2]) }) },
    { what: 'a checkpoint that one proves twice', message: viewChange(0, 1, { stable: stableAt(16, [0, 2, 2]) }) },
    {
      what: 'a checkpoint proven by different states',
      message: viewChange(0, 1, {
        stable: {
          ...stableAt(16),
          proof: [...stableAt(16, [0, 2]).proof, { ...stableAt(16, [3]).proof[0]!, digest: digest('other') }],
        },
      }),
    },
    {
      what: 'the beginning with a proof',
      message: viewChange(0, 1, { stable: { ...stableAt(16), sequence: sequence(0) } }),
    },
    { what: 'too few PREPAREs', message: viewChange(0, 1, { prepared: [certified(about, [1])] }) },
    { what: 'a PREPARE twice', message: viewChange(0, 1, { prepared: [certified(about, [1, 1])] }) },
    { what: 'a PREPARE of the primary', message: viewChange(0, 1, { prepared: [certified(about, [0, 1])] }) },
    {
      what: 'a PREPARE for another batch',
      message: viewChange(0, 1, {
        prepared: [{ ...certified(about), prepares: [prepare(1, about), prepare(2, proposal(1, 'other'))] }],
      }),
    },
    {
      what: 'a PRE-PREPARE of a backup',
      message: viewChange(0, 1, { prepared: [certified({ ...about, replica: replicaIndex(3) })] }),
    },
    {
      what: 'one sequence number twice',
      message: viewChange(0, 1, { prepared: [certified(about), certified(proposal(1, 'other'))] }),
    },
    {
      what: 'something at or below its checkpoint',
      message: viewChange(0, 1, { stable: stableAt(16), prepared: [certified(proposal(16))] }),
    },
    { what: 'something beyond its high water mark', message: viewChange(0, 1, { prepared: [certified(beyond)] }) },
    {
      what: 'something of the view that it asks for',
      message: viewChange(0, 1, {
        prepared: [certified(prePrepare(1, batch([ask('c', 1)], { view: 1 }), { view: 1, replica: 1 }), [0, 2])],
      }),
    },
  ])('with $what is refused', ({ message }) => {
    const replica = wantingView1();
    expect(refusals(replica.receive(message))).toEqual(['invalid-view-change']);
    // Neither does it count for anything.
    expect(refusals(replica.receive(viewChange(0, 1)))).toEqual([]);
  });

  it('counts once for each replica, the one for the highest view', () => {
    const primary = new CheckedReplica({ self: 1 });
    primary.receive(proposal(9), proposal(9, 'other'));
    expect(refusals(primary.receive(viewChange(0, 1), viewChange(0, 1)))).toEqual(['duplicate']);
    expect(whereabouts(primary)).toBe('wants 1');
    primary.receive(viewChange(3, 1));
    expect(whereabouts(primary)).toBe('in 1');
  });
});
