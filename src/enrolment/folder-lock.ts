import { randomBytes } from 'node:crypto';
import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** Longest path of a Unix socket on all systems, in bytes. */
const socketPathBytesMax = 100;
const probeTimeoutMs = 1_000;
const attemptsMax = 5;
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
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const holder = linkedAt(folder, lockName);
      if (holder === undefined) {
        if (lock.link(lockName)) return lock;
        continue;
      }
      if ((await ask(folder, holder)) !== undefined) break;
      if (await lock.inheritFrom(holder)) return lock;
    }
    lock.closeServer();
    return undefined;
  }

  /** Whether this lock still stands: somebody may have deleted the folder. */
  get isHeld(): boolean {
    return linkedAt(this.folder, lockName) === this.socketName;
  }

  release(): void {
    if (this.isHeld) rmSync(join(this.folder, lockName), { force: true });
    this.closeServer();
  }

  /** @returns whether there was no link of this name yet */
  private link(name: string): boolean {
    try {
      symlinkSync(this.socketName, join(this.folder, name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /**
   * Takes a dead holder's place. Many may find it dead at once, and late: whoever makes the link that is named after it is
   * its heir, and only the heir may replace the lock, if it is still the dead one's.
   */
  private async inheritFrom(dead: string): Promise<boolean> {
    const claim = `${dead}.heir`;
    if (!this.link(claim)) {
      const heir = linkedAt(this.folder, claim);
      const hasDied = heir !== undefined && (await ask(this.folder, heir)) === undefined;
      if (hasDied) rmSync(join(this.folder, claim), { force: true }); // in the middle of the following lines
      return false;
    }
    const isStillThere = linkedAt(this.folder, lockName) === dead;
    if (isStillThere) {
      const own = `${this.socketName}.lock`;
      symlinkSync(this.socketName, join(this.folder, own));
      renameSync(join(this.folder, own), join(this.folder, lockName));
      rmSync(join(this.folder, dead), { force: true });
    }
    rmSync(join(this.folder, claim), { force: true });
    return isStillThere;
  }

  private closeServer(): void {
    this.server.close();
    rmSync(join(this.folder, this.socketName), { force: true });
  }
}

/** The line of the process that holds `folder`; `undefined` when none lives. */
export async function askHolder(folder: string): Promise<string | undefined> {
  const holder = linkedAt(folder, lockName);
  return holder === undefined ? undefined : ask(folder, holder);
}

/** The line of the process that listens at this socket; `undefined` when none does. */
function ask(folder: string, socketName: string): Promise<string | undefined> {
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
      socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        settle(code === 'EAGAIN' ? answer : undefined); // more wait to be accepted than may
      });
    });
  });
}

/** The socket that a link of the folder names. */
function linkedAt(folder: string, name: string): string | undefined {
  try {
    return readlinkSync(join(folder, name));
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
