import { describe, expect, it } from '@jest/globals';
import { replicaIndex } from '../../src/pbft/types.js';
import { CheckedReplica, refusals, sent } from '../support/checked-replica.js';
import { ask, certificate, commit, prepare, proposal } from '../support/core-messages.js';
import { wantingView1, whereabouts } from '../support/in-view.js';
import { newViewFrom, viewChange } from '../support/view-messages.js';

/** "If a replica receives f+1 valid view-change messages for views greater than its current view, it sends one for the smallest." */
describe('f+1 replicas that ask for higher views (OSDI §4.5.2)', () => {
  // `0:5` stands for replica 0, which asks for view 5.
  it.each([
    { n: 4, asked: '0:2', to: 'in 0' },
    { n: 4, asked: '0:1000000', to: 'in 0' },
    { n: 4, asked: '0:2 3:2', to: 'wants 2' },
    { n: 4, asked: '0:3 2:2', to: 'wants 2' },
    { n: 4, asked: '0:1000000 2:2', to: 'wants 2' },
    { n: 7, asked: '0:5 2:3', to: 'in 0' },
    { n: 7, asked: '0:5 2:3 3:9', to: 'wants 3' },
    { n: 7, asked: '0:5 0:6 0:7', to: 'in 0' },
  ])('of $n: $asked leave a replica that $to', ({ n, asked, to }) => {
    const replica = new CheckedReplica({ n });
    for (const one of asked.split(' ')) {
      const [other = 0, target = 0] = one.split(':').map(Number);
      replica.receive(viewChange(other, target));
    }
    expect(whereabouts(replica)).toBe(to);
  });

  it('take along one that has asked for a lower view already', () => {
    const replica = wantingView1();
    replica.receive(viewChange(0, 2), viewChange(3, 3));
    expect(whereabouts(replica)).toBe('wants 2');
  });
});

/** Once a replica has sent VIEW-CHANGE it "stops accepting messages other than checkpoint, view-change, and new-view". */
describe('a replica that has asked for a view (OSDI §4.4)', () => {
  it('is moved by nothing of a lower one', () => {
    const replica = wantingView1();
    const about = proposal(1);
    const voted = replica.receive(about, prepare(1, about), prepare(3, about), commit(0, about), commit(1, about));
    expect(sent(voted)).toEqual([]);
    expect(new Set(refusals(voted))).toEqual(new Set(['old-view']));
    replica.receive(viewChange(0, 3), viewChange(3, 3));
    expect(whereabouts(replica)).toBe('wants 3');
    const late = newViewFrom([0, 1, 3].map((one) => viewChange(one, 1)));
    expect(refusals(replica.receive(late))).toEqual(['old-view']);
    expect(whereabouts(replica)).toBe('wants 3');
  });

  it('still takes checkpoints, and what was proven to be committed', () => {
    const replica = wantingView1({ checkpointInterval: 2, logSize: 4 });
    const effects = [1, 2].flatMap((place) =>
      replica.step({ kind: 'certificate', certificate: certificate(proposal(place), [0, 1, 3]) }),
    );
    const own = sent(effects).find((message) => message.kind === 'checkpoint')!;
    replica.receive({ ...own, replica: replicaIndex(0) }, { ...own, replica: replicaIndex(1) });
    expect(replica.core.stable.sequence).toBe(2);
    expect(whereabouts(replica)).toBe('wants 1');
  });
});

/** "It starts a timer that expires after some time T … this time it will wait 2T" (OSDI §4.5.2). */
describe('the time of a new primary', () => {
  const hasty = { requestTimeoutTicks: 4, viewChangeTimeoutTicks: 8 };
  const base = hasty.viewChangeTimeoutTicks;

  const isViewOf = (target: number) => (effect: { kind: string; view?: number }) =>
    effect.kind === 'view' && effect.view === target;

  /** For how many ticks the replica waits in the view that it wants, once q ask for it. */
  function patience(replica: CheckedReplica): number {
    const { view: wanted } = replica.core;
    for (let ticks = 1; ticks <= 200 * base; ticks++) {
      if (replica.tick().some(isViewOf(wanted + 1))) return ticks;
    }
    return Infinity;
  }

  it('begins when q ask for its view, or a later one', () => {
    const replica = wantingView1(hasty);
    replica.receive(viewChange(0, 1));
    replica.ticks(100);
    expect(whereabouts(replica)).toBe('wants 1');
    replica.receive(viewChange(3, 2));
    expect(patience(replica)).toBe(base);
  });

  it('doubles with each view that fails, up to 64 times the base', () => {
    const replica = new CheckedReplica({ ...hasty, n: 13, self: 12 });
    replica.receive(proposal(3), proposal(3, 'other'));
    const waited = [];
    for (let wanted = 1; wanted <= 9; wanted++) {
      for (let other = 0; other < 8; other++) replica.receive(viewChange(other, wanted));
      waited.push(patience(replica) / base);
    }
    expect(waited).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64]);
  });

  it('doubles also when the view comes about and executes nothing', () => {
    const replica = new CheckedReplica({ ...hasty, self: 0 });
    replica.submit(ask('c', 1));
    const waited = [1, 2, 3].map((target) => {
      const ticks = patience(replica);
      expect(whereabouts(replica)).toBe(`wants ${target}`);
      replica.receive(newViewFrom([1, 2, 3].map((one) => viewChange(one, target))));
      expect(whereabouts(replica)).toBe(`in ${target}`);
      return ticks / hasty.requestTimeoutTicks;
    });
    expect(waited).toEqual([1, 1, 2]); // view 0 may have been good once; view 1 never was
  });

  it('returns to its base when a view holds, and not for what is executed at its beginning', () => {
    const replica = new CheckedReplica({ ...hasty, self: 0 });
    let next = 1;
    const execute = () => replica.step({ kind: 'certificate', certificate: certificate(proposal(next++)) });
    /** The patience, in request time-outs, in a view that executes something at its beginning and in each tick of its first few. */
    const patienceIn = (target: number, goodTicks = 0): number => {
      replica.receive(newViewFrom([1, 2, 3].map((one) => viewChange(one, target))));
      execute();
      for (let tick = 0; tick < goodTicks; tick++) {
        replica.tick();
        execute();
      }
      replica.submit(ask('client-1', next));
      return patience(replica) / hasty.requestTimeoutTicks;
    };
    replica.submit(ask('client-1', next));
    expect(patience(replica)).toBe(hasty.requestTimeoutTicks);
    expect([patienceIn(1), patienceIn(2)]).toEqual([1, 2]);
    expect(patienceIn(3, 3 * hasty.requestTimeoutTicks)).toBe(1);
  });
});
