import { describe, expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../src/simulator/scripted-cluster.js';
import { simulate } from '../../src/simulator/simulate.js';

describe('a directed scenario', () => {
  it('goes as the script says: a dead backup, a dead primary, a replica that comes back', async () => {
    const cluster = await ScriptedCluster.start();
    cluster.kill(3);
    expect(await cluster.submit({ op: 'put', key: 'k', value: 1 })).toMatchObject({ sequence: 1, view: 0 });
    await cluster.revive(3);
    cluster.kill(0);
    expect(await cluster.submit({ op: 'increment', key: 'k', by: 1 })).toMatchObject({ view: 1, result: { value: 2 } });
    await cluster.revive(0);
    await cluster.until('all are equal', () => [0, 1, 2, 3].every((index) => cluster.core(index).lastExecuted === 2));
    expect(cluster.violation).toBeUndefined();
    expect(cluster.trace.some((line) => line.includes('new-view 1'))).toBe(true);
  });
});

describe('with real signatures', () => {
  it.each([1, 2, 3])(
    'seed %s violates nothing',
    async (seed) => {
      expect((await simulate(seed, { realSignatures: true, requests: 10 })).violation).toBeUndefined();
    },
    240_000,
  );
});
