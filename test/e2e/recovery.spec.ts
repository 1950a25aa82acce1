import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../support/cluster-waiting.js';
import { Load } from '../support/load.js';
import { areTestsLong } from '../support/long-tests.js';
import { patienceMs } from '../support/processes.js';
import { Random } from '../support/seeds.js';
import { incrementsOf, TestCluster, type Api } from './support.js';

jest.setTimeout(600_000);

const clients = 4;
const primaryKills = areTestsLong ? 10 : 4;
/** Checkpoints come often, so that a restart has some behind it and some to go. */
const checkpointInterval = 8;
const stoppedMs = 60_000;

describe('replicas that die and come back under load', () => {
  const random = new Random(20_261_122);
  let cluster: TestCluster;
  let api: Api;

  beforeAll(async () => {
    cluster = await TestCluster.start({
      // Long enough for every request to be answered in the end.
      settings: { CHECKPOINT_INTERVAL: String(checkpointInterval), LOG_SIZE: '32', DEADLINE_MS: '30000' },
    });
    api = cluster.api();
  });

  afterAll(TestCluster.removeAll);

  it(`the primary, killed ${primaryKills} times in a row: each time the next one takes over`, async () => {
    const load = new Load(incrementsOf(api), 'primaries', clients);
    const { view: first } = await api.status();
    for (let kill = 0; kill < primaryKills; kill++) {
      await load.acknowledges(1 + random.below(40), patienceMs);
      const { primary, view } = await api.status();
      await cluster.kill(primary);
      const { sequence } = await api.agreed({ op: 'get', key: 'agreement' });
      const after = await api.statusWhere((status) => status.view > view);
      expect(after.primary).not.toBe(primary);
      cluster.startMember(primary);
      await api.untilVoting(primary, sequence);
    }
    await cluster.expectWhole(load);
    // One time-out each, not several.
    expect((await api.status()).view - first).toBeLessThan(2 * primaryKills);
  });

  it('a backup, killed: nobody waits for it', async () => {
    const load = new Load(incrementsOf(api), 'backup', clients);
    await load.acknowledges(1 + random.below(40), patienceMs);
    const { primary, view } = await api.status();
    const victim = random.pick(cluster.replicaNames.filter((name) => name !== primary));
    await cluster.kill(victim);
    await load.acknowledges(40, patienceMs);
    const { sequence } = await api.agreed({ op: 'get', key: 'agreement' });
    cluster.startMember(victim);
    await api.untilVoting(victim, sequence);
    await cluster.expectWhole(load);
    expect((await api.status()).view).toBe(view);
  });

  it.each(['backup', 'primary'])('a %s, stopped and continued: it catches up, and stops nobody', async (role) => {
    const load = new Load(incrementsOf(api), `stopped-${role}`, clients);
    await load.acknowledges(10, patienceMs);
    const { primary, view, replicas } = await api.status();
    const victim = role === 'primary' ? primary : cluster.replicaNames.find((name) => name !== primary)!;
    const before = Math.max(...replicas.map(({ stableCheckpoint }) => stableCheckpoint ?? 0));
    const since = Date.now();
    cluster.signal(victim, 'SIGSTOP');
    // Three checkpoints further, the others hold nothing any more of what it has missed.
    await api.statusWhere((status) =>
      status.replicas.every(
        ({ replica, stableCheckpoint }) =>
          replica === victim || (stableCheckpoint ?? 0) >= before + 3 * checkpointInterval,
      ),
    );
    if (areTestsLong && role === 'backup') {
      await eventually('a minute has passed', () => Date.now() - since >= stoppedMs, 2 * stoppedMs);
    }
    const { sequence } = await api.agreed({ op: 'get', key: 'agreement' });
    cluster.signal(victim, 'SIGCONT');
    await load.acknowledges(20, patienceMs);
    await api.untilVoting(victim, sequence);
    await cluster.expectWhole(load);
    if (role === 'primary') expect((await api.status()).view).toBeGreaterThan(view);
  });
});
