import { describe, expect, it } from '@jest/globals';
import { ReplicaWatch } from '../../../src/client/replica-watch.js';
import type { Status } from '../../../src/wire/service.js';
import { testMembership } from '../crypto/support.js';

const status = { view: 0, lastExecuted: 0, stableCheckpoint: 0, stateDigest: '', notVoting: '' } as unknown as Status;

describe('who counts as connected', () => {
  const heardAt = (...times: readonly number[]): ReplicaWatch => {
    const watch = new ReplicaWatch(testMembership(4));
    for (const at of times) watch.onStatus(1, status, at);
    return watch;
  };

  it.each([
    ['was heard once', [0], 1_750],
    ['comes every half second', [0, 500, 1_000], 2_750],
    ['comes ever more rarely, three times its pace', [0, 2_000, 4_500], 10_500],
    ['comes hardly at all, and no longer than that', [0, 30_000, 60_000], 70_000],
    ['was away for long, and is back at its pace', [0, 500, 60_000], 61_750],
  ])('who %s', (_, times, until) => {
    expect(heardAt(...times).connected(until)).toEqual([1]);
    expect(heardAt(...times).connected(until + 1)).toEqual([]);
  });

  it('nobody who was never heard', () => {
    expect(heardAt().connected(0)).toEqual([]);
  });
});
