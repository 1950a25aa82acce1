import { describe, expect, it } from '@jest/globals';
import { faultsTolerated, quorumSize } from '../../src/pbft/quorum.js';
import { CoreCluster } from '../support/core-cluster.js';
import { ask, batch, commit, prePrepare } from '../support/core-messages.js';
import { busyDay, equivocate } from '../support/schedules.js';
import { findSeed, forEachSeed, Random } from '../support/seeds.js';

/** @returns how many batches were executed; throws if two correct replicas executed different ones. */
function attack(n: number, random: Random, q = quorumSize(n)): number {
  const liars = Array.from({ length: faultsTolerated(n) }, (_, replica) => replica);
  const cluster = new CoreCluster({ n, q, random, byzantine: liars, loss: 0.1 * random.below(3) });
  equivocate(cluster, liars, random);
  cluster.run(3);
  return cluster.height;
}

/** "The algorithm provides safety if all non-faulty replicas agree on the sequence numbers of requests" (OSDI '99 §4.5.1). */
describe('safety (OSDI §4.5.1)', () => {
  it.each([4, 5, 6, 7])('%d correct replicas execute the same in any order of delivery', (n) => {
    forEachSeed(10, (random) => busyDay(new CoreCluster({ n, random }), random));
  });

  it.each([4, 5, 6, 7])('%d correct replicas execute the same when messages are lost and repeated', (n) => {
    forEachSeed(10, (random) => busyDay(new CoreCluster({ n, random, loss: 0.3, duplication: 0.3 }), random));
  });

  it.each([4, 7])(
    '%d replicas that die at any moment and come back contradict neither themselves nor each other',
    (n) => {
      const faults = { loss: 0.1, duplication: 0.1, crashes: 0.05 };
      forEachSeed(10, (random) => busyDay(new CoreCluster({ n, random, ...faults }), random));
    },
  );

  it.each([4, 5, 6, 7])('a primary that equivocates makes no two correct replicas of %d differ', (n) => {
    let batches = 0;
    forEachSeed(120, (random) => (batches += attack(n, random)));
    expect(batches).toBeGreaterThan(0);
  });

  // Shows that the search above would find it: with n = 5 and 6 the smaller quorum is 2f+1.
  it.each([4, 5, 6, 7])('with one vote less it would make two of %d differ', (n) => {
    const isSplit = (random: Random): boolean => {
      try {
        attack(n, random, quorumSize(n) - 1);
        return false;
      } catch (error) {
        return String(error).includes('has executed');
      }
    };
    expect(findSeed(120, isSplit)).toBeDefined();
  });

  it('a primary has no batch executed that it has told to fewer than it takes', () => {
    const cluster = new CoreCluster({ n: 4, random: new Random(1), byzantine: [0] });
    const about = prePrepare(1, batch([ask('a', 1)]));
    cluster.send(1, about);
    for (const to of [1, 2, 3]) cluster.send(to, commit(0, about));
    cluster.run(3);
    expect(cluster.height).toBe(0);
  });
});
