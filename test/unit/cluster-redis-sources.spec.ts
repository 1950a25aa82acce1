import { describe, expect, it } from '@jest/globals';
import { librariesOf } from '../../src/cluster/debian-redis.js';
import { commandLine } from '../../src/cluster/embedded-redis.js';
import { findRedis, type RedisProbes, type RedisSource } from '../../src/cluster/redis-sources.js';

interface System {
  readonly onPath?: Readonly<Record<string, string>>;
  readonly engine?: string;
  readonly images?: readonly string[];
  /** What unpacking fails with; `undefined`: it works. */
  readonly unpackFails?: string;
}

/** Answers for a system like this one, and what was asked. */
function probesOf({ onPath = {}, engine, images = [], unpackFails }: System): RedisProbes & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    async version(program) {
      asked.push(program);
      return onPath[program];
    },
    has: async (program) => program in onPath,
    async dockerEngine() {
      asked.push('docker');
      return engine;
    },
    async image(name) {
      asked.push(name);
      return images.includes(name);
    },
    async unpack() {
      asked.push('unpack');
      if (unpackFails !== undefined) throw new Error(unpackFails);
      const environment = { LD_LIBRARY_PATH: '/cache/usr/lib' };
      const command = '/cache/usr/bin/redis-check-rdb';
      return { command, argv0: 'redis-server', environment, client: 'unpacked-cli', version: '7.0.15' };
    },
  };
}

const EVERYTHING: System = {
  onPath: { 'redis-server': '8.0.2', 'valkey-server': '8.1.0', 'apt-get': '2.6' },
  engine: '28.2',
  images: ['redis:8'],
};

describe('findRedis', () => {
  it('takes redis-server on PATH first, and asks nothing else', async () => {
    const probes = probesOf(EVERYTHING);
    expect(await findRedis(probes, 'linux')).toMatchObject({
      kind: 'program',
      command: 'redis-server',
      description: 'redis-server 8.0.2 on PATH',
    });
    expect(probes.asked).toEqual(['redis-server']);
  });

  it('then valkey-server', async () => {
    const probes = probesOf({ ...EVERYTHING, onPath: { 'valkey-server': '8.1.0' } });
    expect(await findRedis(probes, 'linux')).toMatchObject({ command: 'valkey-server' });
  });

  it('then a container', async () => {
    const probes = probesOf({ ...EVERYTHING, onPath: { 'apt-get': '2.6' } });
    expect(await findRedis(probes, 'linux')).toMatchObject({
      kind: 'container',
      description: 'redis:8 in Docker 28.2',
    });
    expect(probes.asked).toEqual(['redis-server', 'valkey-server', 'docker', 'redis:8']);
  });

  it('then the package, where the engine cannot get the image', async () => {
    const probes = probesOf({ onPath: { 'apt-get': '2.6' }, engine: '28.2' });
    expect(await findRedis(probes, 'linux')).toMatchObject({
      kind: 'program',
      argv0: 'redis-server',
      command: '/cache/usr/bin/redis-check-rdb',
      client: 'unpacked-cli',
    });
    expect(probes.asked).toEqual(['redis-server', 'valkey-server', 'docker', 'redis:8', 'unpack']);
  });

  it("then the package, where no engine answers; the system's own client goes before the one that came along", async () => {
    const probes = probesOf({ onPath: { 'apt-get': '2.6', 'redis-cli': '7' } });
    expect(await findRedis(probes, 'linux')).toMatchObject({ client: 'redis-cli' });
    expect(probes.asked).toEqual(['redis-server', 'valkey-server', 'docker', 'unpack']);
  });

  it.each<[string, System, NodeJS.Platform, RegExp]>([
    [
      'Debian when unpacking fails',
      { onPath: { 'apt-get': '2' }, unpackFails: 'no network' },
      'linux',
      /no network.*apt-get install -y redis-server/s,
    ],
    ['Alpine', { onPath: { apk: '2' } }, 'linux', /apk add redis/],
    ['Fedora', { onPath: { dnf: '5' } }, 'linux', /dnf install -y valkey/],
    ['Arch', { onPath: { pacman: '6' } }, 'linux', /pacman -S --noconfirm valkey/],
    ['another Linux', {}, 'linux', /docker run .*redis:8/],
    ['macOS', { onPath: { 'apt-get': 'a stray one' } }, 'darwin', /brew install redis/],
    ['Windows', {}, 'win32', /docker run .*redis:8/],
  ])('else says what to type: %s', async (_, system, platform, message) => {
    const finding = findRedis(probesOf(system), platform);
    await expect(finding).rejects.toMatchObject({ code: 'redis-not-found' });
    await expect(finding).rejects.toThrow(message);
    await expect(finding).rejects.toThrow(/REDIS_URL/);
  });
});

describe('librariesOf', () => {
  it('takes the libraries that apt lists, but for those that every system has', () => {
    const listing = `redis-tools
  Depends: adduser
  Depends: libatomic1
  Depends: libc6
 |Depends: libjemalloc2
  PreDepends: liblzf1
  Depends: <libvirtual>
    libelogind0
  Suggests: libruby
`;
    expect(librariesOf(listing)).toEqual(['libatomic1', 'libjemalloc2', 'liblzf1']);
  });
});

describe('the command line of an embedded Redis', () => {
  const program: RedisSource = { kind: 'program', description: '', client: 'redis-cli', command: 'redis-server' };

  it('keeps every write, and evicts nothing', () => {
    const { args } = commandLine(program, '/data/redis', { path: '/data/redis/redis.sock' }, undefined);
    const line = args.join(' ');
    expect(line).toContain('--appendonly yes --appendfsync always');
    expect(line).toContain('--maxmemory-policy noeviction');
    expect(line).toContain('--dir /data/redis');
  });

  it('listens on its socket alone, or on loopback alone', () => {
    const onSocket = commandLine(program, '/data', { path: '/data/redis.sock' }, undefined).args.join(' ');
    expect(onSocket).toContain('--port 0 --unixsocket /data/redis.sock --unixsocketperm 700');
    const onPort = commandLine(program, '/data', { port: 7000 }, undefined).args.join(' ');
    expect(onPort).toContain('--port 7000 --bind 127.0.0.1');
    const container: RedisSource = { kind: 'container', description: '', image: 'redis:8' };
    const inContainer = commandLine(container, '/data', { port: 7000 }, 'a-name').args.join(' ');
    expect(inContainer).toContain('--publish 127.0.0.1:7000:6379');
    expect(inContainer).toContain('--volume /data:/data');
  });
});
