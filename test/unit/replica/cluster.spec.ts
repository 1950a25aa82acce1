import { describe, expect, it } from '@jest/globals';
import { makeCluster } from '../../support/cluster.js';

describe('a cluster in memory', () => {
  it.each([4, 5, 6, 7])('of %i answers, agrees, and moves its checkpoint', async (n) => {
    const cluster = await makeCluster({ n });
    const reply = await cluster.submit({ op: 'put', key: 'a', value: 1 });
    expect(reply).toMatchObject({ view: 0, sequence: 1, result: { ok: true } });
    await cluster.write(20);
    await cluster.until('all agree', () => cluster.isAgreed);
    await cluster.until('the checkpoint moves', () =>
      cluster.living.every(({ life }) => life.node.host.replica.stable.sequence === 16),
    );
    expect(cluster.violations).toEqual([]);
  });
});
