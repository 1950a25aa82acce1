import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Reply } from '../../src/crypto/receipt.js';
import { parseMembership } from '../../src/crypto/membership.js';
import { verifyReceiptText } from '../../src/crypto/verify-receipt.js';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { runCommand } from '../../src/cluster/run-command.js';
import { eventually } from '../support/cluster-waiting.js';
import { Contract, validCalls } from '../support/contract.js';
import { plainEnvironment } from '../support/processes.js';
import { temporaryFolder, testTimeoutMs, TestCluster, type Api } from './support.js';

jest.setTimeout(testTimeoutMs);

describe('two gateways', () => {
  let cluster: TestCluster;
  let api: Api;
  let other: Api;

  beforeAll(async () => {
    const gateways = ['gateway-1', 'gateway-2'].map((name) => ({ name, port: 0 }));
    // Long enough for a request that waits until the replicas it needs go on; and checkpoints come soon.
    const settings = { DEADLINE_MS: '20000', CHECKPOINT_INTERVAL: '8', LOG_SIZE: '64' };
    cluster = await TestCluster.start({ gateways, settings });
    api = cluster.api('gateway-1');
    other = cluster.api('gateway-2');
  });

  afterAll(TestCluster.removeAll);

  const increment = (key: string, by = 1): object => ({ op: 'increment', key, by });

  /** As many replicas stop as it takes to stop the cluster; what is accepted then waits. */
  const halt = (signal: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const name of cluster.replicaNames.slice(0, 2)) cluster.signal(name, signal);
  };

  const inFlight = async (gateway: Api): Promise<number> => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    return Number(/^quorate_gateway_in_flight (\d+)$/m.exec(text)?.[1]);
  };

  /** What every answer under one idempotency key has in common. Which f+1 replicas have signed it may differ. */
  const essence = ({ receipt: { signatures: _, ...receipt }, ...reply }: Reply): object => ({ ...reply, receipt });

  it('prove what the state holds, to whoever has the membership', async () => {
    for (let count = 0; count < 8; count++) await api.agreed(increment('proven'));
    const folder = await temporaryFolder();
    const membership = join(folder, 'membership.json');
    await writeFile(membership, JSON.stringify((await api.ask<object>('/v1/membership')).body));
    const cli = async (...args: readonly string[]) =>
      await runCommand(process.execPath, [PROGRAM, ...args], { timeoutMs: 30_000, environment: plainEnvironment() });
    for (const [key, found] of [
      ['proven', true],
      ['nothing', false],
    ] as const) {
      const { stdout } = await cli('get', key, '--proof', '--url', api.url);
      const file = join(folder, 'proof.json');
      await writeFile(file, stdout);
      const verified = await cli('verify', file, '--membership', membership, '--json');
      expect(JSON.parse(verified.stdout)).toMatchObject({ valid: true, summary: { key, found } });
      await writeFile(
        file,
        stdout.replace('"found": ', '"found": !').replaceAll('!true', 'false').replaceAll('!false', 'true'),
      );
      expect((await cli('verify', file, '--membership', membership)).code).toBe(1);
    }
  });

  it('answer every endpoint as their OpenAPI document says', async () => {
    const { body: document } = await api.ask<ConstructorParameters<typeof Contract>[1]>('/openapi.json');
    const contract = new Contract(other.url, document);
    for (const [endpoint, call] of Object.entries(validCalls)) {
      const { status, text } = await contract.ask(endpoint, call);
      expect({ endpoint, status, text }).toMatchObject({ endpoint, status: 200 });
    }
  });

  describe('an idempotency key', () => {
    it('has its operation executed once, and answered with the same each time', async () => {
      const first = await api.submit(increment('twice'), 'twice');
      const second = await api.submit(increment('twice'), 'twice');
      expect(first.status).toBe(200);
      expect(second.text).toBe(first.text);
      expect(await api.value('twice')).toBe(1);
    });

    it('holds at all gateways at once', async () => {
      const submissions = Array.from({ length: 16 }, async (_, index) =>
        (index % 2 === 0 ? api : other).agreed(increment('parallel'), 'parallel'),
      );
      const [first, ...more] = await Promise.all(submissions);
      expect(first!.result).toEqual({ ok: true, value: 1 });
      for (const reply of more) expect(essence(reply)).toEqual(essence(first!));
      expect(await api.value('parallel')).toBe(1);
    });

    it('refuses another operation, whichever gateway has it', async () => {
      await api.agreed(increment('once'), 'conflict');
      for (const gateway of [api, other]) {
        const { status, body } = await gateway.submit(increment('once', 2), 'conflict');
        expect({ status, code: body.code }).toEqual({ status: 409, code: 'idempotency-conflict' });
      }
      expect(await api.value('once')).toBe(1);
    });

    it('holds when the gateway was killed and started again', async () => {
      const before = await api.agreed(increment('restart'), 'restart');
      await cluster.kill('gateway-1');
      cluster.startMember('gateway-1');
      await cluster.untilReady('gateway-1');
      const after = await api.agreed(increment('restart'), 'restart');
      expect(essence(after)).toEqual(essence(before));
      const members = parseMembership((await api.ask<object>('/v1/membership')).body);
      expect(verifyReceiptText(JSON.stringify(after), members)).toMatchObject({ valid: true });
      expect((await api.submit(increment('restart', 2), 'restart')).status).toBe(409);
      expect(await api.value('restart')).toBe(1);
    });
  });

  it('finishes what it has accepted when it is told to end', async () => {
    halt('SIGSTOP');
    const accepted = Array.from({ length: 10 }, async () => api.submit(increment('graceful')));
    await eventually('ten requests are in flight', async () => (await inFlight(api)) === 10);
    cluster.signal('gateway-1', 'SIGTERM');
    await eventually('it takes no more', async () => await isRefused(api));
    expect(cluster.pid('gateway-1')).toBeDefined();
    halt('SIGCONT');
    const answers = await Promise.all(accepted);
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(new Set(answers.map(({ headers }) => headers.get('connection')))).toEqual(new Set(['close']));
    await eventually('it has ended', () => cluster.endings.has('gateway-1'));
    expect(cluster.endings.get('gateway-1')).toEqual({ code: 0, signal: null });
    expect(await other.value('graceful')).toBe(10);
  });
});

async function isRefused(gateway: Api): Promise<boolean> {
  try {
    return (await fetch(`${gateway.url}/health/live`)).status === 503;
  } catch {
    return true;
  }
}
