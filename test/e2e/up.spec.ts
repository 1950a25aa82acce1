import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { freePort } from '../../src/cluster/ports.js';
import { pingRedis, type RedisAddress } from '../../src/cluster/redis-ping.js';
import { parseMembership } from '../../src/crypto/membership.js';
import type { AgreedBatch } from '../../src/client/cluster-client.js';
import { runCommand } from '../../src/cluster/run-command.js';
import type { Reply } from '../../src/crypto/receipt.js';
import { verifyReceiptText } from '../../src/crypto/verify-receipt.js';
import { eventually } from '../support/cluster-waiting.js';
import { blocksOf, coverageOf, DOCUMENTS, missingLines, stepsOf } from '../support/documents.js';
import { descendantsOf, livingAmong, patienceMs, plainEnvironment, Program, quorate } from '../support/processes.js';
import { Api, signersOf, temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

/** Every document with commands that no other test runs. A block of them that is run by another says by which. */
const documents = DOCUMENTS.filter((file) => {
  const document = readFileSync(file, 'utf8');
  return blocksOf(document).some((block) => block.language === 'sh' && coverageOf(block, document) === undefined);
});

/** Redis and its warden, four replicas, a gateway. */
const childrenMin = 7;

describe('quorate up', () => {
  let folder: string;
  let port: string;
  let up: Program;
  let api: Api;
  /** What was there before `up` was killed. */
  let before: { readonly membership: string; readonly keys: readonly string[] };

  const start = async (): Promise<void> => {
    const environment = plainEnvironment({ DATA_DIR: folder, PORT: port });
    up = new Program(process.execPath, [PROGRAM, 'up'], environment);
    await up.says(/Ctrl-C stops everything\./);
  };

  /** Runs a line that `up` has printed, as a user would who pastes it. */
  const paste = (line: string): Program => new Program('/bin/sh', ['-c', `exec env ${line}`], plainEnvironment());

  const keys = async (): Promise<string[]> =>
    await Promise.all(
      [1, 2, 3, 4].map(
        async (index) => await readFile(join(folder, 'replicas', `replica-${index}`, 'key.pem'), 'utf8'),
      ),
    );

  const redisAddress = async (): Promise<RedisAddress> =>
    JSON.parse(await readFile(join(folder, 'redis', 'address.json'), 'utf8')) as RedisAddress;

  const expectNothingLeft = async (pids: readonly number[]): Promise<void> => {
    expect(pids.length).toBeGreaterThanOrEqual(childrenMin);
    await eventually('every process has ended', async () => (await livingAmong(pids)).length === 0);
    const address = await redisAddress();
    await eventually('Redis is gone', async () => (await pingRedis(address, 1_000)) === 'absent');
    await expect(fetch(api.url)).rejects.toThrow('fetch failed');
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    port = String(await freePort());
    api = new Api(`http://127.0.0.1:${port}`);
    await start();
  });

  afterAll(async () => {
    await up.end();
    await rm(folder, { recursive: true, force: true });
  });

  it('prints which Redis it uses, where everything is, and what to try', () => {
    expect(up.output).toMatch(/^Redis: \S/m);
    expect(up.output).toContain('Ready: 4 replicas, any 1 of which may fail.');
    for (const path of ['/v1', '/docs', '/']) expect(up.output).toMatch(new RegExp(`^  \\w+ +${api.url}${path}$`, 'm'));
    for (const command of ['curl -s http', 'verify reply.json', 'psubscribe', 'kill -9 ']) {
      expect(up.output).toContain(command);
    }
  });

  describe('a receipt', () => {
    let reply: string;
    let membership: string;

    const verify = async (text: string): Promise<{ code: number | null; stdout: string }> => {
      const file = join(folder, 'reply.json');
      await writeFile(file, text);
      const { code, stdout } = await quorate(['verify', file], { DATA_DIR: folder });
      return { code, stdout };
    };

    beforeAll(async () => {
      // The request that the printed curl makes.
      const [, url = '', body = ''] =
        /curl -s (\S+) -H 'content-type: application\/json' -d '(.*?)'/.exec(up.output) ?? [];
      expect(url).toBe(`${api.url}/v1/requests`);
      const { status, text } = await api.post(body);
      expect(status).toBe(200);
      reply = text;
      membership = await readFile(join(folder, 'membership.json'), 'utf8');
    });

    it('is signed by at least f+1 distinct replicas, and genuine', async () => {
      const parsed = JSON.parse(reply) as Reply;
      expect(parsed.result).toEqual({ ok: true });
      expect(signersOf(parsed).size).toBeGreaterThanOrEqual(2);
      expect(await verify(reply)).toMatchObject({ code: 0, stdout: expect.stringContaining('genuine') });
      expect((await api.ask<object>('/v1/membership')).body).toEqual(JSON.parse(membership));
    });

    it('is refused after a change of any byte', async () => {
      const members = parseMembership(JSON.parse(membership));
      const bytes = Buffer.from(reply);
      expect(verifyReceiptText(bytes, members)).toMatchObject({ valid: true });
      for (let place = 0; place < bytes.length; place++) {
        // One bit, the case of a letter, and what is no ASCII any more.
        for (const difference of [0x01, 0x20, 0x80]) {
          const altered = Buffer.from(bytes);
          altered[place]! ^= difference;
          const { valid } = verifyReceiptText(altered, members);
          if (valid) throw new Error(`accepted with ${altered[place]} at ${place}`);
        }
      }
      const wherever = ['"ok":true', '"sequence":', '"signature":"'];
      for (const place of wherever.map((text) => reply.indexOf(text) + text.length)) {
        const altered = reply.slice(0, place) + (reply[place] === '7' ? '8' : '7') + reply.slice(place + 1);
        expect(await verify(altered)).toMatchObject({ code: 1, stdout: expect.stringContaining('refused') });
      }
    });
  });

  it('serves the commands of a client', async () => {
    const run = async (...args: string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await quorate([...args, '--json', '--url', api.url]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout);
    };
    expect(await run('submit', '{"op":"put","key":"warTime","value":8888}')).toMatchObject({ result: { ok: true } });
    expect(await run('get', 'warTime')).toMatchObject({ value: 8888, consistency: 'linearizable' });
    expect(await run('get', 'warTime', '--local')).toMatchObject({ value: 8888, consistency: 'local' });
    expect(await run('status')).toMatchObject({ n: 4, f: 1, quorum: 3, replicas: [{}, {}, {}, {}] });
    const { code, stdout, stderr } = await quorate(['get', 'absent', '--url', api.url]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('not-found');
  });

  it('has a stable checkpoint before long, on which proofs of its state rest', async () => {
    const { body } = await api.ask<{ genesis: { checkpointInterval: number } }>('/v1/membership');
    for (let sequence = 0; sequence < body.genesis.checkpointInterval;) {
      sequence = (await api.agreed({ op: 'put', key: 'warTime', value: 8888 })).sequence;
    }
    await eventually('a proof', async () => (await api.ask('/v1/state/warTime')).status === 200);
  });

  it.each(documents)('answers every command of %s, and as it says', async (document) => {
    const steps = stepsOf(await readFile(document, 'utf8'));
    expect(steps).not.toEqual([]);
    for (const { command, prints = '' } of steps) {
      const here = command
        .replaceAll('http://127.0.0.1:3000', api.url)
        .replaceAll('npx quorate', `"${process.execPath}" "${PROGRAM}"`);
      const { stdout, ...ending } = await runCommand('/bin/sh', ['-c', here], {
        timeoutMs: patienceMs,
        cwd: folder,
        environment: plainEnvironment({ QUORATE_URL: api.url, DATA_DIR: folder, PORT: port }),
      });
      expect({ command, ...ending }).toMatchObject({ command, code: 0 });
      expect({ command, stdout }).toEqual({ command, stdout: expect.not.stringContaining('urn:quorate:problem') });
      // What is written into a file is not printed.
      if (!/ > \S+$/.test(command)) expect({ command, stdout }).not.toEqual({ command, stdout: '' });
      if (prints !== '')
        expect({ command, stdout, missing: missingLines(prints, stdout) }).toMatchObject({ missing: [] });
    }
  });

  it('hands out the batch in which a request was agreed, with the commits of a quorum', async () => {
    const { id, sequence } = await api.agreed({ op: 'put', key: 'logged', value: 1 });
    const { body } = await api.ask<AgreedBatch>(`/v1/log/${sequence}`);
    expect(body.requests).toContainEqual(
      expect.objectContaining({ id, operation: { op: 'put', key: 'logged', value: 1 } }),
    );
    expect(new Set(body.certificate.map(({ replica }) => replica)).size).toBe(3);
  });

  it('lets redis-cli see the phases on their channels, and the votes in the hashes', async () => {
    const address = await redisAddress();
    const connect = (): Redis =>
      'path' in address ? new Redis({ path: address.path }) : new Redis(address.port, '127.0.0.1');
    const [redis, subscriber] = [connect(), connect()];
    try {
      const seen = new Set<string>();
      subscriber.on('pmessage', (_pattern: string, channel: string) => seen.add(channel));
      await subscriber.psubscribe('quorate:{quorate}:*');
      const { sequence, view } = await api.agreed({ op: 'put', key: 'watched', value: 1 });
      const channels = ['request', 'pre-prepare', 'prepare', 'commit', 'reply:gateway-1', 'status'];
      await eventually('a frame on every channel', () =>
        channels.every((name) => seen.has(`quorate:{quorate}:${name}`)),
      );
      const inUse = await redis.pubsub('CHANNELS', 'quorate:{quorate}:*');
      expect(inUse).toEqual(expect.arrayContaining(channels.map((name) => `quorate:{quorate}:${name}`)));

      await api.agreement();
      for (const replica of ['replica-1', 'replica-2', 'replica-3', 'replica-4']) {
        const votes = await redis.hkeys(`quorate:{quorate}:log:${replica}:${sequence}`);
        const commits = votes.filter((field) => field.startsWith(`commit:${view}:replica-`));
        expect(votes).toContain(`pre-prepare:${view}`);
        // The primary's PRE-PREPARE stands for its PREPARE, so that 2f of the others make a quorum.
        expect(votes.filter((field) => field.startsWith(`prepare:${view}:replica-`)).length).toBeGreaterThanOrEqual(2);
        expect(commits.length).toBeGreaterThanOrEqual(3);
      }
    } finally {
      redis.disconnect();
      subscriber.disconnect();
    }
  });

  it('refuses a second one in the same folder, and is unharmed', async () => {
    const { code, stderr } = await quorate(['up'], { DATA_DIR: folder, PORT: '0' });
    expect(code).toBe(2);
    expect(stderr).toContain(`process ${up.pid} already runs a cluster in it`);
    await api.agreed({ op: 'put', key: 'second', value: 2 });
  });

  it('leaves a killed replica dead, says how to start it again, and goes on without it', async () => {
    const [, pid = ''] = await up.says(/^ {2}kill -9 (\d+)$/m);
    process.kill(Number(pid), 'SIGKILL');
    const [, line = ''] = await up.says(
      /3 of 4 are left, and requests go on being answered\.\nStart it again with:\n {2}(.+)\n/,
    );
    await api.agreed({ op: 'put', key: 'three', value: 3 });
    const replica = paste(line);
    try {
      await api.agreement();
    } finally {
      await replica.end();
    }
  });

  it('leaves no process behind when it is killed', async () => {
    before = { membership: await readFile(join(folder, 'membership.json'), 'utf8'), keys: await keys() };
    const children = await descendantsOf(up.pid);
    up.signalGroup('SIGKILL');
    expect(await up.ended).toEqual({ code: null, signal: 'SIGKILL' });
    // One replica was killed before.
    expect(children.length).toBeGreaterThanOrEqual(childrenMin - 1);
    await expectNothingLeft([...children, up.pid]);
  });

  it('goes on where it ended: the same data, the same identities, the same genesis', async () => {
    await start();
    expect(await keys()).toEqual(before.keys);
    expect(await readFile(join(folder, 'membership.json'), 'utf8')).toBe(before.membership);
    expect(await api.value('warTime')).toBe(8888);
    await api.agreed({ op: 'put', key: 'again', value: 4 });
    await api.agreement();
  });

  it('stops every process on Ctrl-C', async () => {
    const pids = [...(await descendantsOf(up.pid)), up.pid];
    up.signalGroup('SIGINT');
    expect(await up.ended).toEqual({ code: 0, signal: null });
    expect(up.output).toContain('Stopping every process');
    await expectNothingLeft(pids);
  });
});

describe('a cluster that cannot be', () => {
  it('is refused with fewer than four replicas', async () => {
    const folder = await temporaryFolder();
    const { code, stdout, stderr } = await quorate(['up', '--replicas', '3'], { DATA_DIR: folder });
    await rm(folder, { recursive: true });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /^quorate: invalid-setting: REPLICAS is "3": it should be a whole number of replicas from 4 /,
    );
  });
});
