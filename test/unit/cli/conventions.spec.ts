import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exampleReply, exampleStatus } from '../../support/fake-cluster-client.js';
import { answering, cli } from './support.js';

/** Each runs until it is stopped, or prints a script. */
const withoutJson = ['up', 'replica', 'gateway', 'completion', 'help'];

/** What every command has in common, as docs/cli.md promises. */
describe('every command', () => {
  let folder: string;
  let names: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-cli-'));
    const { out } = await cli(['--help']);
    names = [...(out.split('Commands:')[1]?.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(
      ([, name]) => name!,
    );
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('has help on standard output, with examples, and --json where it has a result', async () => {
    expect(names.length).toBeGreaterThan(12);
    for (const name of names.filter((one) => one !== 'help')) {
      const { code, out, err } = await cli(name === 'key' ? [name, 'create', '--help'] : [name, '--help']);
      expect([name, code, err]).toEqual([name, 0, '']);
      expect(out).toMatch(new RegExp(`Examples?:\\n +\\$ .*quorate ${name}`));
      expect([name, out.includes('--json')]).toEqual([name, !withoutJson.includes(name)]);
    }
  });

  const nobody = ['--url', 'http://127.0.0.1:1'];
  it.each<[code: number, error: string, args: readonly string[]]>([
    [2, 'invalid-usage', ['no-such-command']],
    [2, 'invalid-usage', ['submit']],
    [2, 'invalid-usage', ['get']],
    [2, 'invalid-usage', ['status', '--no-such-flag']],
    [2, 'invalid-usage', ['health', 'redis']],
    [2, 'invalid-usage', ['completion', 'tcsh']],
    [2, 'invalid-usage', ['submit', '{"op":']],
    [2, 'invalid-usage', ['get', 'a', '--local', '--proof']],
    [2, 'invalid-usage', ['watch', '--interval', '0']],
    [2, 'invalid-usage', ['watch', '--count', 'many']],
    [2, 'invalid-usage', ['watch', '--after', '3']],
    [2, 'invalid-usage', ['watch', '--events', '--after', '-3']],
    [2, 'invalid-usage', ['verify', '/no/such/file']],
    [2, 'invalid-usage', ['key', 'create']],
    [2, 'invalid-usage', ['key', 'create', '--name', 'operator']],
    [2, 'invalid-usage', ['init', 'Not A Name']],
    [2, 'invalid-usage', ['simulate', '--seeds', '0']],
    [2, 'invalid-usage', ['bench', '--only', 'nothing']],
    [2, 'invalid-usage', ['up', '--state-machine', '/no/such/file']],
    [2, 'invalid-setting', ['up', '--replicas', '3']],
    [2, 'invalid-setting', ['replica']],
    [2, 'invalid-setting', ['gateway']],
    [2, 'invalid-setting', ['status', '--url', 'nonsense']],
    [1, 'folder-not-empty', ['init', '/', '--name', 'a']],
    [1, 'not-running', ['health', '--data-dir', '/no/such/folder']],
    [1, 'not-running', ['health', '--json', '--data-dir', '/no/such/folder']],
    [1, 'not-ready', ['health', 'gateway', '--port', '1']],
    [1, 'no-gateway', ['submit', '{}', ...nobody]],
    [1, 'no-gateway', ['get', 'a', '--json', ...nobody]],
    [1, 'no-gateway', ['status', '--json', ...nobody]],
    [1, 'no-gateway', ['watch', ...nobody]],
    [1, 'no-gateway', ['watch', '--events', ...nobody]],
  ])('exits with %i and says %s: %j', async (code, error, args) => {
    const outcome = await cli(args);
    expect(outcome).toEqual({ code, out: '', err: expect.stringMatching(new RegExp(`^quorate: ${error}: .`)) });
  });

  it('prints JSON, and nothing besides, with --json', async () => {
    const value = { value: 1, sequence: 7, consistency: 'local', replicas: ['replica-1'] };
    const receipt = join(folder, 'receipt.json');
    await writeFile(receipt, '{}');
    const commands: readonly [args: readonly string[], answer?: unknown][] = [
      [['submit', '{}'], exampleReply()],
      [['get', 'a'], value],
      [['status'], exampleStatus()],
      [['watch', '--count', '1'], exampleStatus()],
      [['key', 'create', '--name', 'billing']],
      [['init', join(folder, 'project')]],
      [['verify', receipt, '--membership', receipt]],
      [['simulate', '--seeds', '1', '--requests', '1', '--duration', '0']],
    ];
    for (const [args, answer] of commands) {
      const gateway = await answering(answer);
      const { out, err } = await cli([...args, '--json', ...(answer === undefined ? [] : ['--url', gateway.url])]);
      await gateway.close();
      expect([args, err]).toEqual([args, '']);
      expect(JSON.parse(out)).toEqual(expect.any(Object));
    }
  });

  it('says what a gateway answers that is none, and what one refuses', async () => {
    for (const [answer, error] of [
      ['hello', 'not-a-gateway'],
      [{}, 'not-a-gateway'],
    ] as const) {
      const gateway = await answering(answer);
      const { code, out, err } = await cli(['status', '--url', gateway.url]);
      await gateway.close();
      expect([code, out, err.split(': ')[1]]).toEqual([1, '', error]);
    }
  });
});
