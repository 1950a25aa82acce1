import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LocalCluster } from '../../src/cluster/local-cluster.js';
import { memberNames } from '../../src/cluster/member-names.js';
import { endedMessage, readyMessage, type EndedFacts, type UpFacts } from '../../src/cluster/up-messages.js';
import { readSettings } from '../../src/config/settings.js';
import { FolderLock } from '../../src/enrolment/folder-lock.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-up-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('what up prints when the cluster is ready', () => {
  const facts: UpFacts = {
    url: 'http://127.0.0.1:3000',
    hasDashboard: true,
    replicas: [1, 2, 3, 4].map((index) => ({ name: `replica-${index}`, pid: 100 + index })),
    redisCli: 'redis-cli -s /data/redis/redis.sock',
    cluster: 'quorate',
    dataDir: '.quorate',
    isKeyValue: true,
    program: 'node bin/quorate.mjs',
    startAgain: 'DATA_DIR=/data node bin/quorate.mjs replica --id replica-4',
  };

  it('says where everything is, and what to try', () => {
    const text = readyMessage(facts);
    for (const part of [
      'http://127.0.0.1:3000/v1',
      'http://127.0.0.1:3000/docs',
      'Dashboard   http://127.0.0.1:3000/',
      "curl -s http://127.0.0.1:3000/v1/requests -H 'content-type: application/json' -d '{\"operation\":{",
      'node bin/quorate.mjs verify reply.json --membership .quorate/membership.json',
      "redis-cli -s /data/redis/redis.sock psubscribe 'quorate:{quorate}:*'",
      'kill -9 104',
      'DATA_DIR=/data node bin/quorate.mjs replica --id replica-4',
      'Ctrl-C',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('speaks of no dashboard where there is none, and of no key-value operation where another machine runs', () => {
    const text = readyMessage({ ...facts, hasDashboard: false, isKeyValue: false });
    expect(text).not.toContain('Dashboard');
    expect(text).not.toContain('/v1/kv');
    expect(text).toContain(`-d '{"operation":…}'`);
  });

  it('does not print a REDIS_URL, which may hold a password', () => {
    expect(readyMessage({ ...facts, redisCli: undefined })).toContain('redis-cli -u "$REDIS_URL" psubscribe');
  });
});

describe('what up prints when a process has ended', () => {
  const facts: EndedFacts = {
    name: 'replica-3',
    role: 'replica',
    ending: 'SIGKILL',
    logFile: '/data/logs/replica-3.log',
    lastLines: '',
    replicas: 4,
    replicasRunning: 3,
    restartMs: undefined,
    startAgain: 'DATA_DIR=/data node bin/quorate.mjs replica --id replica-3',
  };

  it('says that the others go on, and how to start it again', () => {
    expect(endedMessage(facts)).toBe(`
replica-3 ended: SIGKILL. 3 of 4 are left, and requests go on being answered.
Start it again with:
  DATA_DIR=/data node bin/quorate.mjs replica --id replica-3`);
  });

  it('says when too few are left', () => {
    expect(endedMessage({ ...facts, replicasRunning: 2 })).toContain(
      '2 of 4 are left, and agreement takes 3: requests wait until another is back.',
    );
    expect(endedMessage({ ...facts, replicasRunning: 0 })).toContain(
      '0 of 4 are left, and agreement takes 3: requests wait until 3 more are back.',
    );
  });

  it('shows what it said last', () => {
    const text = endedMessage({ ...facts, ending: 'exit code 1', lastLines: 'first\nlast' });
    expect(text).toContain('  /data/logs/replica-3.log ends with\n    first\n    last\n');
  });

  it('says when it will be started again, and when it will not', () => {
    expect(endedMessage({ ...facts, restartMs: 1500 })).toContain('It is started again in 1.5 s.');
    const redis = { ...facts, name: 'redis', role: 'redis', startAgain: undefined } as const;
    expect(endedMessage(redis)).toContain('ended too often');
  });
});

describe('memberNames', () => {
  const settings = (environment: Record<string, string> = {}): ReturnType<typeof readSettings> =>
    readSettings({}, { DATA_DIR: folder, ...environment });
  const found = async (cluster: string, names: readonly string[]): Promise<void> => {
    const replicas = names.map((id) => ({ id, publicKey: '' }));
    await writeFile(join(folder, 'membership.json'), JSON.stringify({ cluster, replicas }));
  };

  it('counts where nothing else is said', async () => {
    expect(await memberNames(settings({ REPLICAS: '5' }), undefined)).toEqual(
      [1, 2, 3, 4, 5].map((i) => `replica-${i}`),
    );
  });

  it('takes those that are asked for', async () => {
    expect(await memberNames(settings(), ['Apple', 'MS', 'Google', 'IBM'])).toEqual(['Apple', 'MS', 'Google', 'IBM']);
  });

  it.each([
    [['a', 'b', 'c'], /REPLICAS is "3"/],
    [['a', 'b', 'c', 'a'], /REPLICA_ID is "a".*alone/],
    [['a', 'b', 'c', '../d'], /REPLICA_ID is "..\/d"/],
  ])('refuses %j', async (names, message) => {
    await expect(memberNames(settings(), names)).rejects.toThrow(message);
  });

  it('goes on with the cluster that the data folder holds', async () => {
    await found('quorate', ['a', 'b', 'c', 'd', 'e']);
    expect(await memberNames(settings(), undefined)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await memberNames(settings({ CLUSTER: 'other' }), undefined)).toHaveLength(4);
  });

  it('refuses another number than it was founded with', async () => {
    await found('quorate', ['a', 'b', 'c', 'd', 'e']);
    await expect(memberNames(settings({ REPLICAS: '7' }), undefined)).rejects.toThrow(
      /REPLICAS is "7".*founded with 5/,
    );
  });
});

describe('LocalCluster', () => {
  const names = ['Apple', 'MS', 'Google', 'IBM'];

  it('tells how to start each of its processes by hand', () => {
    const settings = readSettings({}, { DATA_DIR: folder, REDIS_URL: '/tmp/a b.sock', CLUSTER: 'war', PORT: '8080' });
    const cluster = new LocalCluster({ settings, names });
    expect(cluster.commandFor('IBM')).toMatch(
      new RegExp(`^REDIS_URL='/tmp/a b.sock' CLUSTER=war DATA_DIR=${folder} node .*/bin/quorate.mjs replica --id IBM$`),
    );
    expect(cluster.commandFor('gateway-1')).toMatch(/ PORT=8080 node .*\/bin\/quorate.mjs gateway --id gateway-1$/);
  });

  it('does not print the join token', () => {
    const settings = readSettings({}, { DATA_DIR: folder, JOIN_TOKEN: 'hush-hush-hush-hush' });
    const command = new LocalCluster({ settings, names }).commandFor('IBM');
    expect(command).not.toContain('hush');
    expect(command).toContain('JOIN_TOKEN="$JOIN_TOKEN" ');
  });

  it('refuses two with one name', () => {
    const settings = readSettings({}, { DATA_DIR: folder });
    expect(() => new LocalCluster({ settings, names: ['a', 'b', 'c', 'gateway-1'] })).toThrow(/REPLICA_ID/);
    expect(() => new LocalCluster({ settings, names: ['a', 'b', 'c', 'redis'] })).toThrow(/REPLICA_ID/);
  });

  it('refuses a data folder that another one runs in, and names its process', async () => {
    const lock = await FolderLock.acquire(folder, () => String(process.pid));
    try {
      const cluster = new LocalCluster({ settings: readSettings({}, { DATA_DIR: folder }), names });
      await expect(cluster.start()).rejects.toThrow(`process ${process.pid} already runs a cluster in it`);
    } finally {
      lock?.release();
    }
  });
});
