import { mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { freePort } from '../../src/cluster/ports.js';
import { runCommand } from '../../src/cluster/run-command.js';
import { stepsOf } from '../support/documents.js';
import { eventually } from '../support/cluster-waiting.js';
import { descendantsOf, livingAmong, patienceMs, plainEnvironment, Program } from '../support/processes.js';
import { temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

let folder: string;
let environment: Readonly<Record<string, string>>;
/** What the tutorial leaves running. */
let running: Program | undefined;

/** Installs the packed tarball as npm would, but for the network: what it depends on is linked from this clone. */
async function install(into: string): Promise<void> {
  const packed = await runCommand('npm', ['pack', '--ignore-scripts', '--pack-destination', into], {
    timeoutMs: patienceMs,
  });
  const [tarball = ''] = (await readdir(into)).filter((name) => name.endsWith('.tgz'));
  expect({ ...packed, tarball }).toMatchObject({ code: 0, tarball: expect.stringMatching(/^quorate-.*\.tgz$/) });
  const unpacked = await runCommand('tar', ['-xzf', join(into, tarball), '-C', into], { timeoutMs: patienceMs });
  expect(unpacked).toMatchObject({ code: 0 });
  const modules = join(into, 'node_modules');
  await mkdir(join(modules, '.bin'), { recursive: true });
  for (const name of await readdir('node_modules')) {
    if (!name.startsWith('.') && name !== 'quorate') await symlink(resolve('node_modules', name), join(modules, name));
  }
  await rename(join(into, 'package'), join(modules, 'quorate'));
  await symlink('../quorate/bin/quorate.mjs', join(modules, '.bin', 'quorate'));
  await rm(join(into, tarball));
}

/** A newcomer's terminal: `cd` stays, what runs on runs on, and what ran before is ended with Ctrl-C. */
class Terminal {
  private cwd = folder;

  async type(command: string): Promise<string> {
    if (command === 'npm install') return ''; // it is installed, and a test has no network
    const [, into] = /^cd (\S+)$/.exec(command) ?? [];
    if (into !== undefined) this.cwd = join(this.cwd, into);
    else if (/^npm start$|^npx quorate up /.test(command)) return await this.startCluster(command);
    else return await this.run(command);
    return '';
  }

  private async startCluster(command: string): Promise<string> {
    await interrupt();
    running = new Program('/bin/sh', ['-c', `cd "${this.cwd}" && exec ${command}`], environment);
    await running.says(/Ctrl-C stops everything\./);
    return running.output;
  }

  private async run(command: string): Promise<string> {
    const { code, stdout, stderr } = await runCommand('/bin/sh', ['-c', command], {
      ...{ timeoutMs: patienceMs, cwd: this.cwd, environment },
    });
    expect({ command, code, stderr }).toMatchObject({ command, code: 0 });
    return stdout;
  }
}

async function interrupt(): Promise<void> {
  if (running === undefined) return;
  const pids = [...(await descendantsOf(running.pid)), running.pid];
  running.signalGroup('SIGINT');
  await running.ended;
  await eventually('every process has ended', async () => (await livingAmong(pids)).length === 0);
  running = undefined;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await install(folder);
  const port = String(await freePort());
  const { PATH = '', ...others } = plainEnvironment({ PORT: port, QUORATE_URL: `http://127.0.0.1:${port}` });
  // As npx does it: the commands of the packages that are installed come first.
  environment = { ...others, PATH: `${join(folder, 'node_modules', '.bin')}:${PATH}`, npm_config_offline: 'true' };
});

afterAll(async () => {
  await running?.end();
  await rm(folder, { recursive: true, force: true });
});

it("leads from the packed tarball in an empty folder to seven replicas of one's own service", async () => {
  const commands = stepsOf(await readFile('docs/tutorial.md', 'utf8')).map(({ command }) => command);
  const terminal = new Terminal();
  const said: [command: string, output: string][] = [];
  for (const command of commands) said.push([command, await terminal.type(command)]);
  const outputOf = (words: string): readonly string[] =>
    said.flatMap(([command, output]) => (command.includes(words) ? [output] : []));

  expect(outputOf('init')[0]).toContain('Written: warehouse');
  expect(outputOf('npm test')[0]).toMatch(/pass 3\b/);
  expect(outputOf('"receive","item":"bolts"')[0]).toContain('{"count":10,"ok":true}');
  expect(outputOf('get bolts')[0]).toMatch(/^10\n/);
  expect(outputOf('"count":11')[0]).toContain('out-of-stock');
  expect(outputOf('verify')[0]).toContain('genuine');
  expect(outputOf('watch')[0]).toMatch(/voting \d\/4/);
  const [four, seven] = outputOf('quorate status');
  expect(four).toContain('n 4, f 1');
  expect(seven).toContain('n 7, f 2');
  expect(outputOf('nuts')[0]).toContain('{"count":7,"ok":true}');
  await interrupt();
});
