import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { invalidSetting, processEnvironment } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import { Child, describeEnding, type Ending } from './child.js';
import { tailOf } from './log-file.js';
import { poll } from './poll.js';
import { freePort } from './ports.js';
import { askRedis, pingRedis, urlOf, type RedisAddress } from './redis-ping.js';
import { findRedis, systemProbes, type RedisSource } from './redis-sources.js';
import { quote } from './shell.js';
import { runCommand } from './run-command.js';

export interface EmbeddedRedisOptions {
  /** Redis keeps its data in `redis/` of this folder and its log in `logs/`. */
  readonly dataDir: string;
  /** Where a Redis that must be unpacked first is kept. */
  readonly cacheDir: string;
  /** Hears in one line each which Redis is used, and of anything that takes long. */
  readonly report: (line: string) => void;
  /** Listen on a free loopback port even where a Unix socket would do. */
  readonly preferLoopbackPort?: boolean;
  /** Instead of looking for one. */
  readonly source?: RedisSource;
  /** Where to listen, when it has to be where it was before. */
  readonly address?: RedisAddress;
}

/** A real Redis that this process started and stops. */
export interface EmbeddedRedis {
  readonly url: string;
  readonly address: RedisAddress;
  readonly source: RedisSource;
  /** What to type in order to watch it. */
  readonly redisCli: string;
  /** The process that it is, with its warden. */
  readonly child: Child;
  /** SIGTERM, then SIGKILL after a deadline. */
  stop(): Promise<void>;
  /** At once. */
  kill(): void;
}

/** A Unix socket's path must fit into 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH_BYTES_MAX = 100;
const START_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 1_000;
const STOP_TIMEOUT_MS = 10_000;
/** Where a container sees the folder that Redis keeps its data in. */
const CONTAINER_FOLDER = '/data';
const WARDEN = fileURLToPath(new URL('../../bin/warden.mjs', import.meta.url));

/**
 * Starts a real Redis for this machine alone: append-only file, synced at every write, no eviction. The caller sees to it
 * that nobody else does so in the same folder: a Redis that is there already was left behind by a run that was killed, and
 * is stopped.
 * @throws {QuorateError} `redis-not-found` when there is none to start; `invalid-setting` when one that was left behind
 *   does not end; `bus-unavailable` when the new one does not get ready
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const folder = join(options.dataDir, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const last = await readPlace(folder);
  if (last !== undefined) await endLeftover(last, folder, options.report);
  const source = options.source ?? (await findRedis(systemProbes(options.cacheDir, options.report)));
  options.report(`Redis: ${source.description}`);
  const address = options.address ?? (await chooseAddress(folder, source, last, options.preferLoopbackPort === true));
  if ('path' in address) await rm(address.path, { force: true });
  const container = source.kind === 'container' ? containerName(folder) : undefined;
  await removeContainer(container);
  await writeFile(placeFile(folder), JSON.stringify({ ...address, container }));
  const logFile = join(options.dataDir, 'logs', 'redis.log');
  const child = new Child({ name: 'redis', ...commandLine(source, folder, address, container), logFile });
  const stop = async (): Promise<void> => {
    await child.stop(STOP_TIMEOUT_MS);
    await removeContainer(container);
  };
  try {
    await waitUntilReady(child, address);
  } catch (error) {
    await stop();
    throw error;
  }
  const kill = (): void => {
    child.killGroup();
    void removeContainer(container); // killing docker's command line does not kill what it runs
  };
  return { url: urlOf(address), address, source, redisCli: clientCommand(source, address), child, stop, kill };
}

async function removeContainer(name: string | undefined): Promise<void> {
  if (name !== undefined) await runCommand('docker', ['rm', '--force', name], { timeoutMs: 10_000 });
}

function clientCommand(source: RedisSource, address: RedisAddress): string {
  const client = source.kind === 'program' ? source.client : 'redis-cli';
  return `${client} ${'path' in address ? `-s ${quote(address.path)}` : `-p ${String(address.port)}`}`;
}

/** Where the last Redis of a folder listened, and the container that it ran in. */
type Place = RedisAddress & { readonly container?: string };

const placeSchema = z.union([
  z.object({ path: z.string(), container: z.string().optional() }),
  z.object({ port: z.int(), container: z.string().optional() }),
]);

function placeFile(folder: string): string {
  return join(folder, 'address.json');
}

async function readPlace(folder: string): Promise<Place | undefined> {
  try {
    return placeSchema.parse(JSON.parse(await readFile(placeFile(folder), 'utf8'))) as Place;
  } catch {
    return undefined; // the first start, or a file that was cut off while it was written
  }
}

/** Two servers on one append-only file would ruin it. */
async function endLeftover(last: Place, folder: string, report: (line: string) => void): Promise<void> {
  await removeContainer(last.container);
  if (!(await isOurs(last, folder))) return;
  report(`A Redis that an earlier run left behind still uses ${folder}: stopping it first.`);
  await askRedis(last, 'SHUTDOWN', STOP_TIMEOUT_MS);
  const isGone = await poll(STOP_TIMEOUT_MS, async () => ((await isOurs(last, folder)) ? undefined : true));
  if (isGone === true) return;
  const where = 'path' in last ? `-s ${quote(last.path)}` : `-p ${String(last.port)}`;
  const how = `stop it with: redis-cli ${where} shutdown`;
  throw invalidSetting(
    'DATA_DIR',
    join(folder, '..'),
    `a folder that no Redis is using, and an earlier run's does; ${how}`,
  );
}

/** A port may have gone to somebody else since; a socket in our folder cannot have. */
async function isOurs(address: RedisAddress, folder: string): Promise<boolean> {
  const answer = await askRedis(address, 'CONFIG GET dir', PING_TIMEOUT_MS);
  if ('path' in address) return answer !== undefined;
  return answer?.split('\r\n').includes(folder) === true;
}

async function chooseAddress(
  folder: string,
  source: RedisSource,
  last: Place | undefined,
  preferPort: boolean,
): Promise<RedisAddress> {
  const path = join(folder, 'redis.sock');
  const fits = Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
  if (source.kind === 'program' && fits && !preferPort) return { path };
  // The port of last time, so that commands which name it still work.
  const port = last !== undefined && 'port' in last ? last.port : 0;
  return { port: await freePort(port).catch(async () => await freePort()) };
}

function containerName(folder: string): string {
  return `quorate-redis-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
}

/** @internal Exported for its test: what is started, through the warden, for this Redis. */
export function commandLine(
  source: RedisSource,
  folder: string,
  address: RedisAddress,
  container: string | undefined,
): { command: string; args: readonly string[]; environment: Readonly<Record<string, string | undefined>> } {
  // No RDB in it: tomorrow's Redis here may be an older one (without its container, say), which could not read that.
  const log = ['--appendonly', 'yes', '--appendfsync', 'always', '--aof-use-rdb-preamble', 'no'];
  const durable = [...log, '--save', '', '--maxmemory-policy', 'noeviction'];
  const wardenOf = (argv0: string, command: string, args: readonly string[]): readonly string[] => [
    ...[WARDEN, argv0, command],
    ...args,
  ];
  if (source.kind === 'container') {
    const port = 'port' in address ? address.port : 0;
    const user =
      process.getuid === undefined ? [] : ['--user', `${String(process.getuid())}:${String(process.getgid?.() ?? 0)}`];
    const run = ['run', '--rm', '--name', container ?? '', ...user, '--volume', `${folder}:${CONTAINER_FOLDER}`];
    const publish = ['--publish', `127.0.0.1:${String(port)}:6379`, source.image, 'redis-server'];
    const args = [...run, ...publish, ...durable, '--protected-mode', 'no'];
    return { command: process.execPath, args: wardenOf('docker', 'docker', args), environment: processEnvironment() };
  }
  const listen =
    'path' in address
      ? ['--port', '0', '--unixsocket', address.path, '--unixsocketperm', '700']
      : ['--port', String(address.port), '--bind', '127.0.0.1'];
  const args = [...listen, '--dir', folder, '--daemonize', 'no', ...durable];
  return {
    command: process.execPath,
    args: wardenOf(source.argv0 ?? source.command, source.command, args),
    environment: source.environment ?? processEnvironment(),
  };
}

async function waitUntilReady(child: Child, address: RedisAddress): Promise<void> {
  let ending: Ending | undefined;
  void child.ended.then((value) => (ending = value));
  const isReady = await poll(START_TIMEOUT_MS, async () => {
    if (ending !== undefined) return false;
    return (await pingRedis(address, PING_TIMEOUT_MS)) === 'ready' ? true : undefined;
  });
  if (isReady === true) return;
  const tail = await tailOf(child.logFile);
  const hint = /RDB format version/.test(tail)
    ? '\nIts data was written by a newer Redis: make that one available again, or begin anew with another DATA_DIR.'
    : '';
  const how = ending === undefined ? 'it did not answer in time' : describeEnding(ending);
  throw new QuorateError(
    'bus-unavailable',
    `Redis did not start: ${how}. Its log, ${child.logFile}, ends with\n${tail}${hint}`,
    { logFile: child.logFile },
  );
}
