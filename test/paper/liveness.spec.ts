import { describe, expect, it } from '@jest/globals';
import { faultsTolerated } from '../../src/pbft/quorum.js';
import { CheckedReplica } from '../support/checked-replica.js';
import { CoreCluster } from '../support/core-cluster.js';
import { digest } from '../../src/pbft/types.js';
import { ask, batch, checkpoint, commit, prepare, prePrepare } from '../support/core-messages.js';
import { busyDay, equivocate } from '../support/schedules.js';
import { forEachSeed } from '../support/seeds.js';
import { viewChange } from '../support/view-messages.js';

/** Timers so short, and a log so small, that views change and checkpoints are made all the time. */
const hurry = {
  requestTimeoutTicks: 6,
  viewChangeTimeoutTicks: 8,
  checkpointInterval: 4,
  logSize: 8,
  instancesInFlightMax: 3,
};

/** "To provide liveness, replicas must move to a new view if they are unable to execute a request" (OSDI '99 §4.5.2). */
describe('liveness (OSDI §4.5.2)', () => {
  it('requests are executed though primaries are suspected without a cause', () => {
    forEachSeed(15, (random) => busyDay(new CoreCluster({ n: 4, random, ...hurry }), random, 0.8));
  });

  it('requests are executed though messages are lost and repeated', () => {
    const faults = { loss: 0.3, duplication: 0.1 };
    forEachSeed(15, (random) => busyDay(new CoreCluster({ n: 4, random, ...hurry, ...faults }), random, 0.8));
  });

  it('requests are executed though replicas die at any moment and come back', () => {
    const faults = { loss: 0.1, crashes: 0.05 };
    forEachSeed(15, (random) => busyDay(new CoreCluster({ n: 4, random, ...hurry, ...faults }), random, 0.8));
  });

  it.each([4, 5, 6, 7])('requests are executed though the first f primaries of %d say nothing', (n) => {
    const byzantine = Array.from({ length: faultsTolerated(n) }, (_, replica) => replica);
    forEachSeed(8, (random) => busyDay(new CoreCluster({ n, random, ...hurry, byzantine }), random));
  });

  it.each([4, 5, 6, 7])(
    'requests are executed after a primary of %d has equivocated, and what committed stays',
    (n) => {
      const byzantine = Array.from({ length: faultsTolerated(n) }, (_, replica) => replica);
      forEachSeed(15, (random) => {
        const cluster = new CoreCluster({ n, random, ...hurry, byzantine, loss: 0.1 * random.below(3) });
        equivocate(cluster, byzantine, random);
        for (let count = random.below(60); count > 0 && cluster.pendingCount > 0; count--) cluster.deliverOne();
        cluster.settle([ask('somebody', 1)]);
        const states = new Set(cluster.all.map(({ application }) => application.state));
        expect(states.size).toBe(1);
      });
    },
  );

  it('replicas that wait for views next to each other come together, though f say nothing', () => {
    // Of four replicas 1, the primary of view 1, says nothing; 3 has seen view 1 fail, but its wish for it got lost on
    // its way to 2, which hence never hears q wishes for view 1, nor f+1 for a higher one.
    const replica = new CheckedReplica({ self: 2, requestTimeoutTicks: 4, viewChangeTimeoutTicks: 8 });
    replica.submit(ask('c', 1));
    replica.ticks(5);
    expect(replica.core.view).toBe(1);
    replica.receive(viewChange(0, 1), viewChange(3, 2));
    replica.ticks(100);
    expect(replica.core.view).toBe(2);
  });
});

/** A primary that is merely slow is a fault, too (rule 22). K is so large that no checkpoint comes in between. */
describe('a slow primary', () => {
  const requestTimeoutTicks = 8;

  /** Backup 1 of 4 under a primary that orders each request only after so many ticks. @returns the view it wants then */
  function under(delayTicks: number, requests: number): number {
    const replica = new CheckedReplica({
      requestTimeoutTicks,
      viewChangeTimeoutTicks: 100,
      logSize: 64,
      checkpointInterval: 64,
    });
    for (let place = 1; place <= requests && !replica.core.isChangingView; place++) {
      replica.submit(ask('c', place));
      replica.ticks(delayTicks);
      const about = prePrepare(place, batch([ask('c', place)]));
      replica.receive(about, prepare(2, about), commit(0, about), commit(2, about));
      replica.tick();
    }
    return replica.core.view;
  }

  it('is replaced though each request is executed before its time is up', () => {
    expect(under(requestTimeoutTicks - 1, 20)).toBe(1);
  });

  it('is not suspected by who is behind: what that one cannot execute yet, others have', () => {
    const replica = new CheckedReplica({ requestTimeoutTicks, viewChangeTimeoutTicks: 100 });
    const state = digest('the state that the others have');
    replica.receive(checkpoint(2, 32, state), checkpoint(3, 32, state));
    replica.submit(ask('c', 1));
    replica.ticks(10 * requestTimeoutTicks);
    expect(replica.core.isChangingView).toBe(false);
  });

  it('is not suspected when it orders what waits soon', () => {
    expect(under(1, 60)).toBe(0);
    expect(under(2, 20)).toBe(0);
  });
});
