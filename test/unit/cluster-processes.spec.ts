import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Child, describeEnding } from '../../src/cluster/child.js';
import { openLog, tailOf } from '../../src/cluster/log-file.js';
import { poll } from '../../src/cluster/poll.js';
import { assertPortFree, freePort } from '../../src/cluster/ports.js';
import { pingRedis } from '../../src/cluster/redis-ping.js';
import { Restarts } from '../../src/cluster/restarts.js';
import { runCommand } from '../../src/cluster/run-command.js';
import { commandText, quote } from '../../src/cluster/shell.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-processes-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Runs while a server that treats its connections so listens on a port. */
async function withServer(onConnection: (socket: Socket) => void, use: (port: number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  const port = await freePort();
  await new Promise<void>((settle) => server.listen(port, '127.0.0.1', settle));
  try {
    await use(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((settle) => server.close(settle));
  }
}

describe('pingRedis', () => {
  it.each([
    ['+PONG\r\n', 'ready'],
    ['-LOADING Redis is loading the dataset in memory\r\n', 'loading'],
    ['HTTP/1.1 400 Bad Request\r\n', 'silent'],
    ['-NOAUTH Authentication required.\r\n', 'silent'],
  ] as const)('takes %j for %s', async (answer, meaning) => {
    await withServer(
      (socket) => socket.once('data', () => socket.write(answer)),
      async (port) => {
        expect(await pingRedis({ port }, 5_000)).toBe(meaning);
      },
    );
  });

  it('settles when the other side closes without a word', async () => {
    await withServer(
      (socket) => socket.end(),
      async (port) => {
        expect(await pingRedis({ port }, 60_000)).toBe('silent');
      },
    );
  });

  it('settles when the other side says nothing', async () => {
    await withServer(
      () => {},
      async (port) => {
        expect(await pingRedis({ port }, 50)).toBe('silent');
      },
    );
  });

  it('finds nobody', async () => {
    expect(await pingRedis({ port: await freePort() }, 60_000)).toBe('absent');
    expect(await pingRedis({ path: join(folder, 'no.sock') }, 60_000)).toBe('absent');
  });
});

describe('assertPortFree', () => {
  it('names PORT when somebody else listens there', async () => {
    await withServer(
      () => {},
      async (port) => {
        await expect(assertPortFree('127.0.0.1', port)).rejects.toThrow(
          `PORT is "${port}": it should be a port that is free`,
        );
      },
    );
  });

  it('names HOST when that is not of this machine', async () => {
    await expect(assertPortFree('192.0.2.1', await freePort())).rejects.toThrow(/HOST is "192.0.2.1"/);
  });
});

describe('Child', () => {
  const child = (script: string): Child =>
    new Child({
      name: 'child',
      command: process.execPath,
      args: ['-e', script],
      environment: {},
      logFile: join(folder, 'logs', 'child.log'),
    });
  const SAY_READY_AND_STAY = "console.log('ready'); setInterval(() => {}, 1000);";

  async function untilItSays(word: string): Promise<void> {
    const said = await poll(20_000, async () =>
      (await tailOf(join(folder, 'logs', 'child.log'))).includes(word) ? true : undefined,
    );
    expect(said).toBe(true);
  }

  it('ends by SIGTERM, and says so', async () => {
    const process_ = child(SAY_READY_AND_STAY);
    await untilItSays('ready');
    expect([process_.isRunning, process_.isToEnd]).toEqual([true, false]);
    await process_.stop(20_000);
    expect([process_.isRunning, process_.isToEnd]).toEqual([false, true]);
    expect(describeEnding(await process_.ended)).toBe('SIGTERM');
  });

  it('ends by SIGKILL when SIGTERM is not enough', async () => {
    const process_ = child(`process.on('SIGTERM', () => console.log('no')); ${SAY_READY_AND_STAY}`);
    await untilItSays('ready');
    await process_.stop(50);
    expect(describeEnding(await process_.ended)).toBe('SIGKILL');
  });

  it('hears its standard input close with us, which is how it learns that we are gone', async () => {
    const bystander = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', "process.stdin.on('end', () => { console.log('orphaned'); process.exit(); }).resume(); console.log('ready');"],
        { detached: true, stdio: ['pipe', 'inherit', 'inherit'] });
      setInterval(() => {}, 1000);`;
    const parent = child(bystander);
    await untilItSays('ready');
    parent.signal('SIGKILL');
    await untilItSays('orphaned');
    await parent.ended;
  });

  it('tells what could not be started', async () => {
    const absent = {
      name: 'x',
      command: join(folder, 'absent'),
      args: [],
      environment: {},
      logFile: join(folder, 'log'),
    };
    const process_ = new Child(absent);
    expect(describeEnding(await process_.ended)).toBe('it could not be started');
    await process_.stop(1_000);
  });
});

describe('logs', () => {
  it('are appended to, and put aside once they are over 10 MB', async () => {
    const file = join(folder, 'x.log');
    await writeFile(file, 'before\n');
    openLog(file).release();
    expect(await readFile(file, 'utf8')).toBe('before\n');
    await truncate(file, 10 * 1024 * 1024 + 1);
    openLog(file).release();
    expect((await stat(file)).size).toBe(0);
    expect((await stat(`${file}.1`)).size).toBe(10 * 1024 * 1024 + 1);
  });

  it('are shown by their last lines', async () => {
    const file = join(folder, 'x.log');
    expect(await tailOf(file)).toBe('');
    await writeFile(file, `${'x'.repeat(20_000)}\none\ntwo\nthree\n`);
    expect(await tailOf(file, 2)).toBe('two\nthree');
  });
});

describe('runCommand', () => {
  it('tells a program that is not there from one that fails and one that does not end', async () => {
    expect(await runCommand('quorate-no-such-program', [], { timeoutMs: 20_000 })).toMatchObject({
      missing: true,
      code: null,
    });
    const failing = await runCommand(process.execPath, ['-e', "console.log('why'); process.exit(3)"], {
      timeoutMs: 20_000,
    });
    expect(failing).toMatchObject({ missing: false, code: 3, stdout: 'why\n' });
    const endless = await runCommand(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 50 });
    expect(endless).toMatchObject({ timedOut: true, missing: false });
  });
});

describe('Restarts', () => {
  it('waits longer each time, up to a limit, and gives up', () => {
    const restarts = new Restarts();
    const delays = Array.from({ length: 11 }, () => restarts.delayFor('replica-1', 100));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, undefined]);
    expect(restarts.delayFor('replica-2', 100)).toBe(500);
  });

  it('counts anew for one that had lived well', () => {
    const restarts = new Restarts();
    restarts.delayFor('replica-1', 100);
    expect(restarts.delayFor('replica-1', 60_000)).toBe(500);
  });
});

describe('shell text', () => {
  it('quotes what a shell would take apart', () => {
    expect(['plain-1.2:/path', 'a b', "it's", '$HOME', ''].map(quote)).toEqual([
      'plain-1.2:/path',
      "'a b'",
      "'it'\\''s'",
      "'$HOME'",
      "''",
    ]);
    expect(commandText({ DATA_DIR: '/a b' }, ['node', 'x.mjs'])).toBe("DATA_DIR='/a b' node x.mjs");
  });
});
