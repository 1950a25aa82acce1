import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { quote } from './shell.js';
import { runCommand, succeeded, lastWords, type CommandResult } from './run-command.js';

/** A Redis server that was unpacked and not installed. */
export interface UnpackedRedis {
  readonly command: string;
  /** Redis's server and its checker are one binary: the name that it is called by decides what it does. */
  readonly argv0: 'redis-server';
  readonly environment: Readonly<Record<string, string>>;
  /** What the client that came with it is started with in a shell. */
  readonly client: string;
  readonly version: string;
}

const FETCH_TIMEOUT_MS = 120_000;
const SHORT_TIMEOUT_MS = 20_000;

/** What every system has, and in the version that its programs were linked with. */
const NEVER_UNPACK = new Set(['libc6', 'libgcc-s1']);

/**
 * The distribution's own Redis (the package redis-tools has the server's binary, too), unpacked into the user's cache folder:
 * no root, nothing of the system's changed. Fetched once, used ever after.
 * @throws {Error} with the reason, in one line
 */
export async function unpackDebianRedis(cacheDir: string, report: (line: string) => void): Promise<UnpackedRedis> {
  const system = await systemName();
  const folder = join(cacheDir, `redis-${system}`);
  const kept = await usable(folder);
  if (kept !== undefined) return kept;
  report(`Unpacking this system's own Redis package into ${folder} …`);
  await removeHalfDone(cacheDir);
  const aside = `${folder}.${String(process.pid)}`;
  try {
    await fetchInto(aside, cacheDir);
    await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  const unpacked = await usable(folder);
  if (unpacked === undefined) throw new Error(`the unpacked ${join(folder, 'usr/bin/redis-check-rdb')} does not run`);
  return unpacked;
}

/** What runs that were cut off have left: theirs are named after processes that live no more. */
async function removeHalfDone(cacheDir: string): Promise<void> {
  for (const entry of await readdir(cacheDir).catch(() => [])) {
    const pid = /^redis-.*\.(\d+)$/.exec(entry)?.[1];
    if (pid !== undefined && !lives(Number(pid))) await rm(join(cacheDir, entry), { recursive: true, force: true });
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function systemName(): Promise<string> {
  const architecture = await must('dpkg', ['--print-architecture'], SHORT_TIMEOUT_MS);
  const release = await must('sh', ['-c', '. /etc/os-release && echo "$ID-$VERSION_ID"'], SHORT_TIMEOUT_MS);
  return `${release.stdout.trim()}-${architecture.stdout.trim()}`;
}

async function fetchInto(folder: string, cacheDir: string): Promise<void> {
  // An apt of our own: the system's lists, cache and locks are neither needed nor touched.
  const apt = join(cacheDir, 'apt');
  await mkdir(join(apt, 'lists', 'partial'), { recursive: true });
  await mkdir(join(apt, 'cache', 'archives', 'partial'), { recursive: true });
  await mkdir(join(folder, 'packages'), { recursive: true });
  const options = [
    ['Dir::State::Lists', join(apt, 'lists')],
    ['Dir::Cache', join(apt, 'cache')],
    ['Debug::NoLocking', '1'],
    ['APT::Sandbox::User', 'root'],
    ['Acquire::Languages', 'none'],
    ['Acquire::Retries', '1'],
    ['Acquire::http::Timeout', '20'],
    ['Acquire::https::Timeout', '20'],
  ].flatMap(([key, value]) => ['-o', `${String(key)}=${String(value)}`]);
  await must('apt-get', ['-qq', ...options, 'update'], FETCH_TIMEOUT_MS);
  const depends = await must('apt-cache', [...options, 'depends', '--important', 'redis-tools'], SHORT_TIMEOUT_MS);
  const libraries = await notInstalled(librariesOf(depends.stdout));
  const packages = join(folder, 'packages');
  await must('apt-get', ['-qq', ...options, 'download', 'redis-tools', ...libraries], FETCH_TIMEOUT_MS, packages);
  for (const file of await readdir(packages)) {
    await must('dpkg-deb', ['-x', join(packages, file), folder], SHORT_TIMEOUT_MS);
  }
  await rm(packages, { recursive: true });
}

/** The libraries among the direct dependencies that `apt-cache depends` lists. */
export function librariesOf(listing: string): readonly string[] {
  const names = [...listing.matchAll(/^ *\|?(?:Pre)?Depends: (lib[a-z0-9.+-]+)$/gm)].map((match) => match[1] ?? '');
  return names.filter((name) => !NEVER_UNPACK.has(name));
}

async function notInstalled(names: readonly string[]): Promise<readonly string[]> {
  const listed = await runCommand('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    timeoutMs: SHORT_TIMEOUT_MS,
  });
  const installed = new Set(listed.stdout.split('\n').map((line) => line.trim()));
  return names.filter((name) => !installed.has(`${name} installed`));
}

/** @returns the Redis in the folder, if there is one that runs. */
async function usable(folder: string): Promise<UnpackedRedis | undefined> {
  const command = join(folder, 'usr/bin/redis-check-rdb');
  const found = await stat(command).catch(() => undefined);
  if (found === undefined) return undefined;
  const environment = { LD_LIBRARY_PATH: (await libraryFolders(folder)).join(':'), LC_ALL: 'C' };
  const result = await runCommand(command, ['--version'], {
    timeoutMs: SHORT_TIMEOUT_MS,
    argv0: 'redis-server',
    environment,
  });
  const version = /v=(\S+)/.exec(result.stdout)?.[1];
  if (version === undefined) return undefined;
  const client = `LD_LIBRARY_PATH=${quote(environment.LD_LIBRARY_PATH)} ${quote(join(folder, 'usr/bin/redis-cli'))}`;
  return { command, argv0: 'redis-server', environment, client, version };
}

/** `usr/lib` and its folder for this architecture, whatever that is called. */
async function libraryFolders(folder: string): Promise<readonly string[]> {
  const library = join(folder, 'usr/lib');
  const entries = await readdir(library, { withFileTypes: true }).catch(() => []);
  const inner = entries.filter((entry) => entry.isDirectory() && entry.name.includes('-linux-'));
  return [library, ...inner.map((entry) => join(library, entry.name))];
}

async function must(command: string, args: readonly string[], timeoutMs: number, cwd?: string): Promise<CommandResult> {
  const result = await runCommand(command, args, { timeoutMs, ...(cwd === undefined ? {} : { cwd }) });
  if (!succeeded(result)) throw new Error(`${command}: ${lastWords(result)}`);
  return result;
}
