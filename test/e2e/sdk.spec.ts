import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connect, type QuorateClient } from '../../src/embedding/connect.js';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { eventually } from '../support/cluster-waiting.js';
import { plainEnvironment } from '../support/processes.js';
import { temporaryFolder, testTimeoutMs, TestCluster } from './support.js';

jest.setTimeout(testTimeoutMs);

const run = promisify(execFile);

/** What a program does with a client; it prints what came of it. */
const program = `(async () => {
  const cluster = await connect(JSON.parse(process.env.CONNECTION));
  const { result } = await cluster.submit({ op: 'increment', key: process.env.KEY });
  console.log(JSON.stringify({ result, read: (await cluster.query(process.env.KEY)).value }));
  await cluster.close();
})()`;

describe('quorate/client, with a cluster of processes', () => {
  let cluster: TestCluster;
  let folder: string;
  let genesis: string;
  const clients: QuorateClient[] = [];
  const ways = ['through a gateway', 'over the bus'] as const;

  beforeAll(async () => {
    cluster = await TestCluster.start({
      gateways: [{ name: 'gateway', port: 0 }],
      settings: { CHECKPOINT_INTERVAL: '4', LOG_SIZE: '64', DEADLINE_MS: '1000' },
    });
    folder = await temporaryFolder();
    const membership = await cluster.api('gateway').ask<{ genesis: { digest: string } }>('/v1/membership');
    genesis = membership.body.genesis.digest;
  });

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await TestCluster.removeAll();
    await rm(folder, { recursive: true, force: true });
  });

  /** What a party elsewhere is given: where the bus is, the token, and the genesis that it believes. */
  const onBus = async (name: string) => ({
    redisUrl: cluster.redisUrl ?? '',
    cluster: cluster.name,
    joinToken: (await readFile(join(cluster.dataDir, 'join-token'), 'utf8')).trim(),
    dataDir: join(folder, name),
    gatewayId: name,
    genesis,
  });

  const connectionOf = async (way: (typeof ways)[number], name: string) =>
    way === 'over the bus' ? await onBus(name) : { url: cluster.api('gateway').url, genesis };

  describe.each(ways)('%s', (way) => {
    let client: QuorateClient;
    const key = way.replaceAll(' ', '-');
    const increment = { op: 'increment', key };

    beforeAll(async () => {
      client = await connect(await connectionOf(way, key));
      clients.push(client);
    });

    it('has operations executed once, reads, and verifies all that it is told', async () => {
      const reply = await client.submit(increment, { idempotencyKey: `${key}-1`, deadlineMs: 20_000 });
      const again = await client.submit(increment, { idempotencyKey: `${key}-1` });
      expect([reply.result, again.result]).toEqual([1, 1].map((value) => ({ ok: true, value })));
      expect(client.verifyReceipt(reply)).toMatchObject({ cluster: cluster.name, sequence: reply.sequence });
      const forged = { ...reply, result: { ok: true, value: 2 } };
      expect(() => client.verifyReceipt(forged)).toThrow(expect.objectContaining({ code: 'invalid-receipt' }));
      expect(client.membership.genesis.digest).toBe(genesis);
      expect(await client.query(key)).toMatchObject({ value: 1, consistency: 'linearizable' });
      await expect(client.submit({ op: 'get', key }, { idempotencyKey: `${key}-1` })).rejects.toMatchObject({
        code: 'idempotency-conflict',
      });
      for await (const event of client.events({ after: reply.sequence - 1 })) {
        if (event.type !== 'committed') continue;
        expect(event).toMatchObject({
          id: reply.sequence,
          data: { requests: [{ id: reply.id, operation: increment }] },
        });
        break;
      }
      for (let count = 0; count < 4; count++) await client.submit({ op: 'get', key }); // a checkpoint comes
      await cluster
        .api('gateway')
        .statusWhere(({ replicas }) =>
          replicas.every(({ stableCheckpoint }) => (stableCheckpoint ?? 0) >= reply.sequence),
        );
      const proof = await client.prove(key);
      expect(client.verifyStateProof(JSON.stringify(proof))).toMatchObject({ key, found: true, value: 1 });
    });

    it('gives up when it is told to, and at its deadline, saying why', async () => {
      const stopped = cluster.replicaNames.slice(0, 2);
      for (const name of stopped) cluster.signal(name, 'SIGSTOP');
      try {
        const abort = new AbortController();
        const waiting = client.submit(increment, { signal: abort.signal });
        abort.abort(new Error('enough'));
        await expect(waiting).rejects.toThrow('enough');
        await expect(client.submit({ op: 'get', key }, { deadlineMs: 300 })).rejects.toMatchObject({
          code: 'no-quorum',
        });
      } finally {
        for (const name of stopped) cluster.signal(name, 'SIGCONT');
      }
      expect((await client.submit({ op: 'get', key }, { deadlineMs: 60_000 })).result).toMatchObject({ ok: true });
      await expect(client.submit(increment, { deadlineMs: NaN })).rejects.toMatchObject({ code: 'invalid-setting' });
    });

    it.each(['module', 'commonjs'])('is had by a program that is a %s', async (type) => {
      const name = `${key}-${type}`;
      const load =
        type === 'module'
          ? "import { connect } from 'quorate/client';"
          : "const { connect } = require('quorate/client');";
      const { stdout } = await run(process.execPath, [`--input-type=${type}`, '-e', `${load} ${program}`], {
        env: { ...plainEnvironment(), KEY: name, CONNECTION: JSON.stringify(await connectionOf(way, name)) },
        timeout: 60_000,
      });
      expect(JSON.parse(stdout)).toEqual({ result: { ok: true, value: 1 }, read: 1 });
    });
  });

  it.each([
    [['--events', '--json'], '"type":"committed"'],
    [['--events'], 'committed '],
    [['--json'], '"executed"'],
  ])('quorate watch %j, into a pipe, has whole lines, and Ctrl-C ends it as it should', async (flags, line) => {
    const api = cluster.api('gateway');
    const watching = spawn(process.execPath, [PROGRAM, 'watch', ...flags, '--url', api.url], {
      env: plainEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(watching, 'close') as Promise<[code: number | null]>;
    let out = '';
    let err = '';
    watching.stdout.on('data', (more: Buffer) => (out += more.toString()));
    watching.stderr.on('data', (more: Buffer) => (err += more.toString()));
    await eventually('it shows something', async () => {
      await api.agreed({ op: 'get', key: 'watched' });
      return out.includes(line);
    });
    watching.kill('SIGINT');
    expect([(await ended)[0], err]).toEqual([0, '']);
    expect(out.endsWith('\n')).toBe(true);
    if (flags.includes('--json')) for (const each of out.trimEnd().split('\n')) JSON.parse(each);
  });

  it('believes no cluster but the pinned one, and keeps nothing of another', async () => {
    const connection = await onBus('pinned');
    await expect(connect({ ...connection, genesis: '00'.repeat(32) })).rejects.toMatchObject({
      code: 'invalid-membership',
      details: { genesis },
    });
    const client = await connect(connection);
    clients.push(client);
    expect((await client.submit({ op: 'get', key: 'pinned' })).result).toMatchObject({ ok: true });
  });

  it('is refused with another token, waits no longer than it may, and must know where to go', async () => {
    const connection = await onBus('refused');
    await expect(connect({ ...connection, joinToken: 'another-token-altogether' })).rejects.toMatchObject({
      code: 'enrolment-refused',
    });
    const unfounded = { ...connection, dataDir: join(folder, 'unfounded'), cluster: 'unfounded', deadlineMs: 200 };
    await expect(connect(unfounded)).rejects.toMatchObject({ code: 'no-quorum' });
    const nowhere = { ...connection, dataDir: join(folder, 'nowhere'), redisUrl: 'redis://127.0.0.1:1' };
    await expect(connect(nowhere)).rejects.toMatchObject({ code: 'bus-unavailable' });
    await expect(connect({ ...connection, url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'invalid-setting',
    });
    await expect(connect({} as never)).rejects.toMatchObject({ code: 'invalid-setting' });
  });
});
