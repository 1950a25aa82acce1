import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadStateMachine } from '../../src/cli/load-state-machine.js';
import { runCli } from '../../src/cli/main.js';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line as a process would, but for the process. */
async function cli(args: readonly string[], environment: Record<string, string> = {}, stdin = ''): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    environment,
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    hasColors: false,
    terminals: { stdout: false, stderr: false },
    unread: new AbortController().signal,
    interrupted: () => new AbortController().signal,
    readStdin: async () => stdin,
    exitCode: 0,
  });
  return { code, out, err };
}

describe('usage', () => {
  it.each(['up', 'replica', 'gateway', 'submit', 'get', 'status', 'verify', 'health'])(
    'explains %s',
    async (command) => {
      const { code, out } = await cli([command, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`quorate ${command}`);
      expect(out).not.toContain('--attached');
    },
  );

  it('documents exit codes and shows examples', async () => {
    const { out } = await cli(['--help']);
    expect(out).toContain('Exit codes: 0');
    expect(out).toContain('$ quorate up');
  });

  it.each([
    [[]],
    [['no-such-command']],
    [['submit']],
    [['get']],
    [['status', '--no-such-flag']],
    [['health', 'redis']],
  ])('exits with 2 for %j', async (args) => {
    const { code, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });

  it('exits with 2 for a wrong setting, and names it', async () => {
    const { code, err } = await cli(['up', '--replicas', '3']);
    expect(code).toBe(2);
    expect(err).toContain('invalid-setting: REPLICAS is "3"');
    expect((await cli(['status'], { QUORATE_URL: 'nonsense' })).code).toBe(2);
  });

  it.each(['replica', 'gateway'])('does not start a %s without a Redis', async (command) => {
    const { code, err } = await cli([command]);
    expect(code).toBe(2);
    expect(err).toContain('REDIS_URL is not set');
  });

  it('prints its version', async () => {
    expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("the client's commands", () => {
  interface Asked {
    readonly method: string | undefined;
    readonly url: string | undefined;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }

  let server: Server;
  let url: string;
  let asked: Asked[];
  let answer: { status: number; body: string };

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      void textOf(request).then((body) => {
        asked.push({ method: request.method, url: request.url, headers: request.headers, body });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
      });
    });
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((settle) => server.close(settle));
  });

  const reply = {
    ...{ id: '00', client: 'gateway-1', timestamp: 1, view: 0, sequence: 42, result: { ok: true } },
    receipt: { signatures: [{ replica: 'replica-1' }, { replica: 'replica-3' }] },
  };
  const problem = { status: 504, code: 'no-quorum', detail: 'only replica-1 answered' };

  it('submits an operation, and prints its result and who vouches for it', async () => {
    answer = { status: 200, body: JSON.stringify(reply) };
    const outcome = await cli(['submit', '{"op":"get","key":"a"}', '--key', 'order-17', '--url', url]);
    expect(outcome).toEqual({
      code: 0,
      out: '{"ok":true}\nsequence 42, view 0, signed by replica-1, replica-3\n',
      err: '',
    });
    expect(asked[0]).toMatchObject({
      method: 'POST',
      url: '/v1/requests',
      body: '{"operation":{"op":"get","key":"a"}}',
    });
    expect(asked[0]!.headers['idempotency-key']).toBe('order-17');
  });

  it('sends the operation as it was typed: the gateway, not we, refuses numbers that do not fit', async () => {
    answer = { status: 200, body: JSON.stringify(reply) };
    await cli(['submit', '-', '--url', url], {}, '{"value":9007199254740993}');
    expect(asked[0]!.body).toBe('{"operation":{"value":9007199254740993}}');
  });

  it.each(['{"op":', '1},"x":{"y":2', ''])('does not send %j', async (operation) => {
    const { code, err } = await cli(['submit', operation, '--url', url]);
    expect(code).toBe(2);
    expect(err).toContain('not JSON');
    expect(asked).toEqual([]);
  });

  it('prints a reply word for word with --json', async () => {
    answer = { status: 200, body: JSON.stringify(reply, null, 1) };
    expect((await cli(['submit', '--json', '{}', '--url', url])).out).toBe(`${answer.body}\n`);
  });

  it('exits with 1 when the gateway refuses, and says why', async () => {
    answer = { status: 504, body: JSON.stringify(problem) };
    const plain = await cli(['submit', '{}', '--url', url]);
    expect(plain).toEqual({ code: 1, out: '', err: 'quorate: no-quorum: only replica-1 answered\n' });
    const json = await cli(['submit', '--json', '{}', '--url', url]);
    expect([json.code, json.out]).toEqual([1, `${answer.body}\n`]);
  });

  it('exits with 1 when something else answers, or nobody', async () => {
    answer = { status: 200, body: '<html>' };
    expect(await cli(['status', '--url', url])).toMatchObject({
      code: 1,
      err: expect.stringContaining('not like a gateway'),
    });
    answer = { status: 200, body: '{}' };
    expect(await cli(['status', '--url', url])).toMatchObject({
      code: 1,
      err: expect.stringContaining('--json shows it'),
    });
    const nobody = await cli(['get', 'a', '--url', 'http://127.0.0.1:1']);
    expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('no gateway answers at http://127.0.0.1:1') });
  });

  it('reads a value, by default linearizably', async () => {
    const value = {
      key: 'a/b',
      value: { deep: [1] },
      sequence: 7,
      consistency: 'linearizable',
      replicas: ['r1', 'r2'],
    };
    answer = { status: 200, body: JSON.stringify(value) };
    const { out } = await cli(['get', 'a/b'], { QUORATE_URL: url });
    expect(out).toBe('{"deep":[1]}\nlinearizable, as of sequence 7, on the word of r1, r2\n');
    await cli(['get', 'a/b', '--local'], { QUORATE_URL: `${url}/` });
    expect(asked.map((request) => request.url)).toEqual([
      '/v1/kv/a%2Fb?consistency=linearizable',
      '/v1/kv/a%2Fb?consistency=local',
    ]);
  });

  it('prints the status as a table', async () => {
    const replica = {
      connected: true,
      voting: true,
      notVoting: null,
      view: 0,
      lastExecuted: 9,
      stableCheckpoint: 0,
      stateDigest: 'ab'.repeat(32),
    };
    const unknown = {
      connected: false,
      voting: null,
      notVoting: null,
      view: null,
      lastExecuted: null,
      stableCheckpoint: null,
      stateDigest: null,
    };
    const mute = { ...replica, voting: false, notVoting: 'Redis refuses\u001b[2J' };
    const replicas = [
      { ...replica, replica: 'Apple' },
      { ...mute, replica: 'MS' },
      { ...unknown, replica: 'IBM' },
    ];
    const status = { cluster: 'war', epoch: 0, view: 0, primary: 'Apple', n: 4, f: 1, quorum: 3, replicas };
    answer = { status: 200, body: JSON.stringify(status) };
    expect((await cli(['status', '--url', url])).out).toBe(
      [
        'war, epoch 0, view 0: primary Apple; n 4, f 1, quorum 3',
        'replica  condition                      view  executed  checkpoint  state',
        'Apple    voting                         0     9         0           abababababababab',
        'MS       not voting: Redis refuses?[2J  0     9         0           abababababababab',
        'IBM      not heard of                   -     -         -           -',
        '',
      ].join('\n'),
    );
  });

  it('asks the gateway of this container for its health', async () => {
    const port = new URL(url).port;
    answer = { status: 200, body: '{"status":"ready"}' };
    expect(await cli(['health', 'gateway'], { PORT: port, HOST: '0.0.0.0' })).toMatchObject({
      code: 0,
      out: `${answer.body}\n`,
    });
    answer = { status: 503, body: '{"code":"bus-unavailable"}' };
    expect(await cli(['health', 'gateway'], { PORT: port })).toMatchObject({ code: 1 });
  });
});

describe('files', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-cli-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('verifies nothing without a membership, and says which file it looked for', async () => {
    await writeFile(join(folder, 'reply.json'), '{}');
    const { code, err } = await cli(['verify', join(folder, 'reply.json'), '--data-dir', folder]);
    expect(code).toBe(2);
    expect(err).toContain(join(folder, 'membership.json'));
  });

  it('refuses what is not a receipt, and says why', async () => {
    await writeFile(join(folder, 'membership.json'), '{}');
    const plain = await cli(['verify', '-', '--data-dir', folder], {}, '{}');
    expect([plain.code, plain.out]).toEqual([1, expect.stringMatching(/^refused: ./)]);
    const json = await cli(['verify', '-', '--json', '--data-dir', folder], {}, '{}');
    expect([json.code, JSON.parse(json.out)]).toEqual([1, expect.objectContaining({ valid: false })]);
  });

  it('finds no health where nothing runs', async () => {
    expect(await cli(['health', 'replica', '--data-dir', folder])).toMatchObject({ code: 1 });
  });

  const schema = `{ '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }`;

  it.each([
    ['an object', `export default { name: 'mine@1', operation: ${schema}, apply: () => null };`],
    ['a class', `export default class { name = 'mine@1'; operation = ${schema}; apply() { return null; } }`],
  ])('loads a state machine that is %s', async (_, source) => {
    await writeFile(join(folder, 'machine.mjs'), source);
    expect((await loadStateMachine(join(folder, 'machine.mjs'))).name).toBe('mine@1');
  });

  it('has the key-value service by default', async () => {
    expect((await loadStateMachine(undefined)).name).toMatch(/^key-value@/);
  });

  it.each([
    ['has no default export', 'export const machine = {};', /does not export a state machine/],
    ['lacks apply', `export default { name: 'x', operation: ${schema} };`, /does not export a state machine/],
    ['does not parse', 'export default {', /cannot be loaded/],
  ])('refuses a module that %s', async (_, source, message) => {
    await writeFile(join(folder, 'machine.mjs'), source);
    await expect(loadStateMachine(join(folder, 'machine.mjs'))).rejects.toThrow(message);
  });
});
