import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { commandLine, startEmbeddedRedis, type EmbeddedRedis } from '../../src/cluster/embedded-redis.js';
import { poll } from '../../src/cluster/poll.js';
import { pingRedis } from '../../src/cluster/redis-ping.js';
import { processEnvironment, readSettings } from '../../src/config/settings.js';
import { startTestRedis } from '../support/redis-server.js';

/** Asks a Redis one thing, over a connection of its own. */
async function ask<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function setting(url: string, name: string): Promise<string | undefined> {
  return await ask(url, async (redis) => {
    const answer: unknown = await redis.call('CONFIG', 'GET', name);
    return Array.isArray(answer) ? String(answer[1]) : (answer as Record<string, string>)[name];
  });
}

describe('the Redis of tests', () => {
  it('is empty, keeps every write and evicts nothing', async () => {
    const redis = await startTestRedis();
    try {
      expect(await ask(redis.url, async (connection) => await connection.dbsize())).toBe(0);
      expect(await setting(redis.url, 'appendonly')).toBe('yes');
      expect(await setting(redis.url, 'appendfsync')).toBe('always');
      expect(await setting(redis.url, 'maxmemory-policy')).toBe('noeviction');
    } finally {
      await redis.stop();
    }
  }, 120_000);
});

describe('an embedded Redis', () => {
  const { cacheDir } = readSettings({}, processEnvironment());
  let dataDir: string;
  let reported: string[];
  let started: EmbeddedRedis[];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'quorate-redis-'));
    reported = [];
    started = [];
  });

  afterEach(async () => {
    await Promise.all(started.map(async (redis) => await redis.stop()));
    await rm(dataDir, { recursive: true });
  });

  async function start(): Promise<EmbeddedRedis> {
    const redis = await startEmbeddedRedis({ dataDir, cacheDir, report: (line) => reported.push(line) });
    started.push(redis);
    return redis;
  }

  it('says which one it is, and has what was written before it was stopped', async () => {
    const first = await start();
    expect(reported.at(-1)).toBe(`Redis: ${first.source.description}`);
    expect(await setting(first.url, 'appendfsync')).toBe('always');
    await ask(first.url, async (redis) => await redis.set('kept', 'yes'));
    await first.stop();
    expect(await pingRedis(first.address, 1_000)).toBe('absent');
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await ask(second.url, async (redis) => await redis.get('kept'))).toBe('yes');
  }, 120_000);

  it('is stopped, with nothing lost, when a run that was killed has left it behind', async () => {
    const left = await start();
    await ask(left.url, async (redis) => await redis.set('kept', 'yes'));
    const next = await start();
    expect(await ask(next.url, async (redis) => await redis.get('kept'))).toBe('yes');
    await left.child.ended;
  }, 120_000);

  it('ends when the process that started it is killed', async () => {
    const redis = await start();
    await redis.stop();
    // Another process starts the same Redis in the same way, and is killed with SIGKILL.
    const container = redis.source.kind === 'container' ? `quorate-test-${process.pid}` : undefined;
    const { command, args, environment } = commandLine(redis.source, join(dataDir, 'redis'), redis.address, container);
    const script = `
      const { spawn } = require('node:child_process');
      const [command, args, env] = ${JSON.stringify([command, args, environment])};
      spawn(command, args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env });
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    const isReady = await poll(60_000, async () =>
      (await pingRedis(redis.address, 1_000)) === 'ready' ? true : undefined,
    );
    expect(isReady).toBe(true);
    parent.kill('SIGKILL');
    const isGone = await poll(30_000, async () =>
      (await pingRedis(redis.address, 1_000)) === 'absent' ? true : undefined,
    );
    expect(isGone).toBe(true);
  }, 120_000);
});
