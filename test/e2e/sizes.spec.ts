import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { signersOf, testTimeoutMs, TestCluster } from './support.js';

jest.setTimeout(testTimeoutMs);

describe('other numbers of replicas', () => {
  afterAll(TestCluster.removeAll);

  it.each([
    { n: 5, f: 1, quorum: 4 },
    { n: 6, f: 1, quorum: 4 },
    { n: 7, f: 2, quorum: 5 },
  ])('$n agree by $quorum, and go on without $f, the primary among them', async ({ n, f, quorum }) => {
    const cluster = await TestCluster.start({ replicas: n, settings: { DEADLINE_MS: '20000' } });
    const api = cluster.api();
    expect(await api.status()).toMatchObject({ n, f, quorum });
    await api.agreement();

    const { primary } = await api.status();
    const others = cluster.replicaNames.filter((name) => name !== primary);
    const killed = [primary, ...others].slice(0, f);
    await Promise.all(killed.map(async (name) => await cluster.kill(name)));
    const reply = await api.agreed({ op: 'put', key: 'without', value: killed });
    expect(signersOf(reply).size).toBeGreaterThanOrEqual(f + 1);
    expect([...signersOf(reply)].filter((name) => killed.includes(name))).toEqual([]);
    expect(await api.value('without')).toEqual(killed);
    await cluster.stop();
  });
});
