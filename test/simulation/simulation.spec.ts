import { describe, expect, it } from '@jest/globals';
import { forEachSeed } from '../support/seeds.js';
import { simulate } from './simulate.js';

/** Runs that `npm test` makes; a run takes some hundredths of a second. */
const seeds = 200;

describe('a cluster whose messages are late, lost and repeated, whose replicas die, forget and lie', () => {
  it('agrees, keeps its word, and finishes once the faults stop', () => {
    const totals = { restarts: 0, viewChanges: 0, executed: 0, checkpoints: 0 };
    forEachSeed(seeds, ({ seed }) => {
      const { restarts, highestView, executed, checkpoints } = simulate(seed);
      totals.restarts += restarts;
      totals.viewChanges += highestView;
      totals.executed += executed;
      totals.checkpoints += checkpoints;
    });
    // Whether what is to be survived happens at all.
    for (const total of Object.values(totals)) expect(total).toBeGreaterThan(0);
  }, 120_000);
});
