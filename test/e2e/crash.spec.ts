import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Random } from '../support/seeds.js';
import { Load, testTimeoutMs, TestCluster, type Api } from './support.js';

jest.setTimeout(testTimeoutMs);

/** A different moment each time; what must hold holds at all of them. */
const seed = Date.now() % 2 ** 31;

describe(`one of four replicas killed under load (seed ${seed})`, () => {
  const random = new Random(seed);
  let cluster: TestCluster;
  let api: Api;

  beforeAll(async () => {
    // Checkpoints come often, so that a restart has some behind it and some to go.
    const settings = { CHECKPOINT_INTERVAL: '8', LOG_SIZE: '32' };
    cluster = await TestCluster.start({ settings });
    api = cluster.api();
  });

  afterAll(TestCluster.removeAll);

  it.each(['backup', 'primary'] as const)('a %s: requests go on being answered, and it catches up', async (role) => {
    const load = new Load(api, `killed-${role}`, 4);
    await load.acknowledges(1 + random.below(60));
    const { primary, view } = await api.status();
    const victim = role === 'primary' ? primary : random.pick(cluster.replicaNames.filter((name) => name !== primary));
    await cluster.kill(victim);
    await load.acknowledges(40);
    const after = await api.statusWhere(({ replicas }) => replicas.some(({ connected }) => !connected));
    expect(after.replicas.find(({ connected }) => !connected)?.replica).toBe(victim);
    if (role === 'primary') expect(after.view).toBeGreaterThan(view);

    cluster.startMember(victim);
    await load.acknowledges(20);
    await load.stop();
    await api.agreement();
    await load.expectExactlyOnce();
    expect(cluster.endings).toEqual(new Map());
  });
});
