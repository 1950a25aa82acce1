import { randomBytes } from 'node:crypto';
import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** Longest path of a Unix socket on all systems, in bytes. */
const socketPathBytesMax = 100;
const probeTimeoutMs = 1_000;
const takeoverAttemptsMax = 3;
const answerBytesMax = 4_096;
const lockName = 'lock';

/**
 * A folder's lock: a symbolic link to the Unix socket on which its holder listens. Making the link is atomic, and a
 * holder that was killed no longer answers, so the lock never outlives it. Unlike a process id it also works between
 * containers that share a volume. Whoever connects gets one line of text about the holder's health.
 */
export class FolderLock {
  private constructor(
    private readonly folder: string,
    private readonly socketName: string,
    private readonly server: Server,
  ) {}

  /**
   * @param describe the line that whoever connects gets
   * @returns `undefined` when a living process holds the folder
   */
  static async acquire(folder: string, describe: () => string): Promise<FolderLock | undefined> {
    const socketName = `${randomBytes(6).toString('hex')}.sock`;
    const server = await listen(folder, socketName, describe);
    const lock = new FolderLock(folder, socketName, server);
    for (let attempt = 0; attempt < takeoverAttemptsMax; attempt++) {
      if (lock.link()) return lock;
      if ((await askHolder(folder)) !== undefined) break;
      lock.removeStale();
    }
    lock.closeServer();
    return undefined;
  }

  /** Whether this lock still stands: somebody may have deleted the folder. */
  get isHeld(): boolean {
    return holderOf(this.folder) === this.socketName;
  }

  release(): void {
    if (this.isHeld) rmSync(join(this.folder, lockName), { force: true });
    this.closeServer();
  }

  private link(): boolean {
    try {
      symlinkSync(this.socketName, join(this.folder, lockName));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /** Takes a dead holder's link away. Renaming shows which link was taken: a living one goes back. */
  private removeStale(): void {
    const stale = holderOf(this.folder);
    if (stale === undefined) return;
    const aside = join(this.folder, `${this.socketName}.stale`);
    try {
      renameSync(join(this.folder, lockName), aside);
    } catch {
      return; // somebody else was faster
    }
    if (readlinkSync(aside) === stale) {
      rmSync(aside, { force: true });
      rmSync(join(this.folder, stale), { force: true });
    } else {
      renameSync(aside, join(this.folder, lockName));
    }
  }

  private closeServer(): void {
    this.server.close();
    rmSync(join(this.folder, this.socketName), { force: true });
  }
}

/** The line of the process that holds `folder`; `undefined` when none lives. */
export async function askHolder(folder: string): Promise<string | undefined> {
  const socketName = holderOf(folder);
  if (socketName === undefined) return undefined;
  return withSocketPath(folder, socketName, (path) => {
    return new Promise((resolve) => {
      let answer = '';
      const socket = connect(path);
      const settle = (line: string | undefined): void => {
        socket.destroy();
        resolve(line);
      };
      // Somebody listens, even if it is too busy to answer: the folder is held.
      socket.setTimeout(probeTimeoutMs, () => {
        settle(answer);
      });
      socket.on('data', (chunk: Buffer) => {
        if (answer.length < answerBytesMax) answer += chunk.toString();
      });
      socket.on('end', () => {
        settle(answer);
      });
      socket.on('error', () => {
        settle(undefined);
      });
    });
  });
}

function holderOf(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, lockName));
  } catch {
    return undefined;
  }
}

function listen(folder: string, socketName: string, describe: () => string): Promise<Server> {
  return withSocketPath(folder, socketName, (path) => {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.end(`${describe()}\n`);
      });
      server.unref();
      server.once('error', reject);
      server.listen(path, () => {
        resolve(server);
      });
    });
  });
}

/** Gives `use` a path to the socket that is short enough for the system, over a link when the folder's own is not. */
async function withSocketPath<T>(folder: string, socketName: string, use: (path: string) => Promise<T>): Promise<T> {
  const own = [join(folder, socketName), relative(process.cwd(), join(folder, socketName))];
  const short = own.find((path) => Buffer.byteLength(path) <= socketPathBytesMax);
  if (short !== undefined) return use(short);
  const link = join(tmpdir(), `quorate-${randomBytes(6).toString('hex')}`);
  symlinkSync(folder, link);
  try {
    return await use(join(link, socketName));
  } finally {
    rmSync(link, { force: true });
  }
}
