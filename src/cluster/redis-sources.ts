import { QuorateError } from '../errors.js';
import { unpackDebianRedis, type UnpackedRedis } from './debian-redis.js';
import { dockerEngineVersion, ensureImage, REDIS_IMAGE } from './docker-engine.js';
import { runCommand, succeeded } from './run-command.js';

/** A Redis server that can be started here. */
export type RedisSource =
  | {
      readonly kind: 'program';
      readonly description: string;
      /** What its command line client is started with in a shell. */
      readonly client: string;
      readonly command: string;
      readonly argv0?: string;
      /** Instead of this process's environment. */
      readonly environment?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'container'; readonly description: string; readonly image: string };

/** How this system is asked what it has; tests put their own answers here. */
export interface RedisProbes {
  /** The version of a program on PATH, `undefined` when it is not there or does not run. */
  version(program: string): Promise<string | undefined>;
  /** Whether a package manager is there. */
  has(program: string): Promise<boolean>;
  dockerEngine(): Promise<string | undefined>;
  image(name: string): Promise<boolean>;
  /** Rejects with the reason where it cannot be done. */
  unpack(): Promise<UnpackedRedis>;
}

export function systemProbes(cacheDir: string, report: (line: string) => void): RedisProbes {
  return {
    async version(program) {
      const result = await runCommand(program, ['--version'], { timeoutMs: 10_000 });
      return succeeded(result) ? (/v=(\S+)/.exec(result.stdout)?.[1] ?? 'unknown') : undefined;
    },
    has: async (program) => !(await runCommand(program, ['--version'], { timeoutMs: 10_000 })).missing,
    dockerEngine: async () => await dockerEngineVersion(),
    image: async (name) => await ensureImage(name, report),
    unpack: async () => await unpackDebianRedis(cacheDir, report),
  };
}

/**
 * Finds a Redis that can be started here: on PATH; in a container; the Debian or Ubuntu package without installing it.
 * @throws {QuorateError} `redis-not-found`, with the command that installs one on this system
 */
export async function findRedis(
  probes: RedisProbes,
  platform: NodeJS.Platform = process.platform,
): Promise<RedisSource> {
  for (const program of ['redis-server', 'valkey-server']) {
    const version = await probes.version(program);
    if (version !== undefined) {
      return { kind: 'program', description: `${program} ${version} on PATH`, client: 'redis-cli', command: program };
    }
  }
  const engine = await probes.dockerEngine();
  if (engine !== undefined && (await probes.image(REDIS_IMAGE))) {
    return { kind: 'container', description: `${REDIS_IMAGE} in Docker ${engine}`, image: REDIS_IMAGE };
  }
  if (platform !== 'linux' || !(await probes.has('apt-get'))) throw await notFound(probes, platform);
  try {
    const { version, client, ...unpacked } = await probes.unpack();
    const description = `redis-server ${version} of this system's own package, unpacked into the cache folder`;
    return {
      kind: 'program',
      description,
      client: (await probes.has('redis-cli')) ? 'redis-cli' : client,
      ...unpacked,
    };
  } catch (error) {
    throw await notFound(probes, platform, error instanceof Error ? error.message : String(error));
  }
}

async function notFound(probes: RedisProbes, platform: NodeJS.Platform, reason?: string): Promise<QuorateError> {
  const command = await installCommand(probes, platform);
  const because = reason === undefined ? '' : ` (the system's own package could not be unpacked: ${reason})`;
  return new QuorateError(
    'redis-not-found',
    `no Redis was found on this machine${because}. Get one with\n\n  ${command}\n\nor set REDIS_URL to one that runs.`,
    { command },
  );
}

const PACKAGE_MANAGERS = [
  ['apt-get', 'apt-get install -y redis-server'],
  ['apk', 'apk add redis'],
  ['dnf', 'dnf install -y valkey'],
  ['pacman', 'pacman -S --noconfirm valkey'],
  ['zypper', 'zypper install -y redis'],
] as const;

async function installCommand(probes: RedisProbes, platform: NodeJS.Platform): Promise<string> {
  if (platform === 'darwin') return 'brew install redis';
  if (platform === 'linux') {
    for (const [program, command] of PACKAGE_MANAGERS) {
      if (await probes.has(program)) return process.getuid?.() === 0 ? command : `sudo ${command}`;
    }
  }
  return `docker run --rm -p 127.0.0.1:6379:6379 ${REDIS_IMAGE} redis-server --appendonly yes --appendfsync always`;
}
