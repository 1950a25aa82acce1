import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { testTimeoutMs, TestCluster, type Api, type Answer, type Outcome } from './support.js';

jest.setTimeout(testTimeoutMs);

/** Increments of one counter by different powers of a base: its digits say how often each was executed. */
class Ledger {
  private static readonly base = 4;
  private count = 0;
  private readonly answers = new Map<number, Promise<Answer<Outcome>>>();

  constructor(private readonly api: Api) {}

  submit(): Promise<Answer<Outcome>> {
    const by = Ledger.base ** this.count;
    const answer = this.api.submit({ op: 'increment', key: 'ledger', by });
    this.answers.set(this.count++, answer);
    return answer;
  }

  /** What was acknowledged was executed once, what was not once or never. */
  async expectKept(): Promise<void> {
    const digits = Number(await this.api.value('ledger'));
    for (const [place, answer] of this.answers) {
      const executed = Math.floor(digits / Ledger.base ** place) % Ledger.base;
      expect((await answer).status === 200 ? [1] : [0, 1]).toContain(executed);
    }
  }
}

describe('two of four replicas killed', () => {
  let cluster: TestCluster;
  let api: Api;
  let ledger: Ledger;

  beforeAll(async () => {
    cluster = await TestCluster.start({ settings: { DEADLINE_MS: '2000' } });
    api = cluster.api();
    ledger = new Ledger(api);
  });

  afterAll(TestCluster.removeAll);

  it('refuses in time, naming who answered', async () => {
    expect((await ledger.submit()).status).toBe(200);
    const { primary } = await api.status();
    const [other] = cluster.replicaNames.filter((name) => name !== primary);
    const killed = [primary, other!];
    // Some of these are on their way when the two die.
    const early = [ledger.submit(), ledger.submit(), ledger.submit()];
    await Promise.all(killed.map(async (name) => await cluster.kill(name)));
    await api.statusWhere(({ replicas }) => replicas.filter(({ connected }) => !connected).length === 2);
    const late = [ledger.submit(), ledger.submit(), ledger.submit()];

    const living = cluster.replicaNames.filter((name) => !killed.includes(name));
    for (const { status, headers, body } of await Promise.all(late)) {
      expect(status).toBe(504);
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(body).toMatchObject({ code: 'no-quorum', answered: living, mayStillCommit: true, quorum: 3 });
      expect(new Set(body['silent'] as string[])).toEqual(new Set(killed));
      expect(body.detail).toContain('may still commit');
    }
    for (const { status } of await Promise.all(early)) expect([200, 504]).toContain(status);
    const { status, body } = await api.ask('/health/ready');
    expect({ status, ...body }).toMatchObject({ status: 503, code: 'no-quorum', replicasConnected: 2 });
    expect((await api.ask('/health/live')).status).toBe(200);
  });

  it('has lost nothing and done nothing twice when they are back', async () => {
    const names = cluster.replicaNames.filter((name) => cluster.pid(name) === undefined);
    expect(names).toHaveLength(2);
    for (const name of names) cluster.startMember(name);
    await api.agreement();
    expect((await ledger.submit()).status).toBe(200);
    await ledger.expectKept();
    expect(cluster.endings).toEqual(new Map());
  });
});
