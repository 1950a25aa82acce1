import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, runCli, runGroup, TestCluster, until } from '../support/processes.js';

const run = promisify(execFile);
const slowMs = 120_000;
const repository = new URL('../../', import.meta.url).pathname;

/** The commands in a document's `sh` blocks, a continued line being one. */
function commandsIn(document: string): string[] {
  const blocks = [...readFileSync(join(repository, document), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)];
  return blocks.flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').trim().split('\n'));
}

/** The processes whose command line or title names this folder or cluster. */
async function processesWith(text: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(text) && !line.includes('ps -eo'));
}

describe('quorate up', () => {
  const folders: string[] = [];
  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'quorate-up-'));
    folders.push(path);
    return path;
  };
  afterEach(() => {
    for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
  });

  it(
    'says what to try, runs every command of the README, and ends whole on Ctrl-C',
    async () => {
      const dataDir = folder();
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const { child, output } = runGroup([
        join(repository, 'bin/quorate.mjs'),
        ...['up', '--port', String(port), '--data-dir', dataDir],
      ]);
      try {
        await until('up says that it is ready', () => Promise.resolve(output().includes('Ctrl-C') ? true : undefined));
        for (const line of [`${url}/v1`, `${url}/docs`, 'Dashboard', 'curl -s', 'redis-cli', 'kill -9']) {
          expect(output()).toContain(line);
        }
        const commands = commandsIn('README.md').filter((command) => !/^npm (start|test)$/.test(command));
        expect(commands.length).toBeGreaterThanOrEqual(5);
        for (const command of commands) {
          const text = command
            .replaceAll('http://127.0.0.1:3000', url)
            .replaceAll('npx quorate', `node ${join(repository, 'bin/quorate.mjs')}`);
          const env = {
            PATH: `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`,
            QUORATE_URL: url,
            DATA_DIR: dataDir,
          };
          const { stdout } = await run('sh', ['-c', text], { cwd: dataDir, env, timeout: 30_000 });
          expect(stdout.length).toBeGreaterThan(0);
          expect(stdout).not.toContain('urn:quorate:problem');
        }
      } finally {
        process.kill(-(child.pid ?? 0), 'SIGINT');
      }
      await until('every process has ended', async () =>
        (await processesWith(dataDir)).length === 0 ? true : undefined,
      );
      expect(child.exitCode).toBe(0);
    },
    slowMs,
  );

  it('refuses three replicas', async () => {
    const { code, stderr } = await runCli(['up', '--replicas', '3'], { DATA_DIR: folder() });
    expect(code).toBe(2);
    expect(stderr).toMatch(/REPLICAS.*3.*4/s);
  });

  it(
    'runs the war council, with IBM down',
    async () => {
      const dataDir = folder();
      const [firstPort, gatewayPort] = [await freePort(), await freePort()];
      const { child, output } = runGroup([
        join(repository, 'dist/examples/war-council/main.js'),
        ...['--first-port', String(firstPort), '--gateway-port', String(gatewayPort), '--data-dir', dataDir],
      ]);
      const ask = async (country: number, warTime: string): Promise<{ status: number; body: unknown }> => {
        const response = await fetch(`http://127.0.0.1:${firstPort + country}/req?warTime=${warTime}`);
        return { status: response.status, body: await response.json() };
      };
      try {
        await until('the council sits', () => Promise.resolve(output().includes('Ctrl-C') ? true : undefined));
        for (const [index, country] of ['Apple', 'MS', 'Google', 'IBM'].entries()) {
          expect(await ask(index, '8888')).toMatchObject({ status: 200, body: { country, result: { warTime: 8888 } } });
        }
        expect(await ask(0, 'late')).toMatchObject({ status: 400 });
        const ibm = /IBM: (\d+)/.exec(output())?.[1];
        process.kill(Number(ibm), 'SIGKILL');
        await until('IBM is down', () => Promise.resolve(output().includes('IBM ended') ? true : undefined));
        expect(await ask(3, '9999')).toMatchObject({
          status: 200,
          body: { country: 'IBM', result: { warTime: 9999 } },
        });
      } finally {
        process.kill(-(child.pid ?? 0), 'SIGINT');
      }
      await until('every process has ended', async () =>
        (await processesWith(dataDir)).length === 0 ? true : undefined,
      );
    },
    slowMs,
  );
});

describe('a second process with a living identity', () => {
  const cluster = new TestCluster(4);
  beforeAll(() => cluster.start(), slowMs);
  afterAll(() => cluster.stop(), slowMs);

  it(
    'is refused on the same folder',
    async () => {
      const { code, stderr } = await runCli(['replica', '--id', 'replica-1'], {
        REDIS_URL: cluster.redisUrl,
        DATA_DIR: cluster.dataDir,
      });
      expect(code).not.toBe(0);
      expect(stderr).toContain('identity-in-use');
    },
    slowMs,
  );

  it(
    'ends when it runs on a copy of the folder, and the first one goes on',
    async () => {
      const copy = mkdtempSync(join(tmpdir(), 'quorate-twin-'));
      cpSync(join(cluster.dataDir, 'replicas/replica-1'), join(copy, 'replicas/replica-1'), {
        recursive: true,
        filter: (path) => !/lock$|\.sock$/.test(path),
      });
      cpSync(join(cluster.dataDir, 'join-token'), join(copy, 'join-token'));
      const { code, stdout } = await runCli(['replica', '--id', 'replica-1'], {
        REDIS_URL: cluster.redisUrl,
        DATA_DIR: copy,
      });
      rmSync(copy, { recursive: true, force: true });
      expect(code).toBe(1);
      expect(stdout).toContain('another process is running as replica-1');
      expect((await cluster.submit({ op: 'increment', key: 'n' })).status).toBe(200);
      await cluster.untilAllAgree();
    },
    slowMs,
  );
});
