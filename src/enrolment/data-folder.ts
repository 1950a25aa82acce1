import { randomBytes, createPrivateKey } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { generateIdentity, identityOf, type Identity } from '../crypto/ed25519.js';
import { QuorateError } from '../errors.js';
import { replicasMax } from '../pbft/quorum.js';
import { askHolder, FolderLock } from './folder-lock.js';

/** Whose folders: each role has its own under the data directory. */
export type Role = 'replicas' | 'gateways';

/** A process's health, as told to whoever asks at its folder's lock. */
export interface Health {
  readonly name: string;
  /** The machine, or container, on which the process runs. */
  readonly host: string;
  readonly ready: boolean;
  readonly detail: string;
}

const keyFile = 'key.pem';

/**
 * The folder of one identity: its private key (mode 0600, never sent anywhere), the genesis that it has signed or
 * pinned, and its promises. One living process holds it.
 */
export class DataFolder {
  health: Health;

  private constructor(
    readonly path: string,
    /** The name that was asked for; '' when the cluster is to allot one. */
    readonly requestedName: string,
    private readonly lock: FolderLock,
    readonly identity: Identity,
    health: Health,
  ) {
    this.health = health;
  }

  /**
   * Claims the folder of `name`, or, without one, the first folder that no living process holds: so that containers
   * which share a volume keep their identities when they are made anew.
   * @param beforeKey called with the folder's path before a new identity's key is made in it
   * @throws {QuorateError} `identity-in-use` when a living process holds it
   */
  static async claim(
    dataDir: string,
    role: Role,
    name: string | undefined,
    beforeKey: (path: string) => void = () => undefined,
  ): Promise<DataFolder> {
    const roleDir = resolve(dataDir, role);
    if (name !== undefined) {
      const folder = await DataFolder.tryClaim(join(roleDir, name), name, beforeKey);
      if (folder !== undefined) return folder;
      throw new QuorateError(
        'identity-in-use',
        `another process is running as ${name} (folder ${join(roleDir, name)})`,
      );
    }
    for (let slot = 1; slot <= replicasMax; slot++) {
      const folder = await DataFolder.tryClaim(join(roleDir, `slot-${slot}`), '', beforeKey);
      if (folder !== undefined) return folder;
    }
    throw new QuorateError('identity-in-use', `all ${replicasMax} folders below ${roleDir} are in use`);
  }

  private static async tryClaim(
    path: string,
    requestedName: string,
    beforeKey: (path: string) => void,
  ): Promise<DataFolder | undefined> {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const holder: { folder?: DataFolder } = {};
    const starting = { name: requestedName, host: hostname(), ready: false, detail: 'starting' };
    const lock = await FolderLock.acquire(path, () => JSON.stringify(holder.folder?.health ?? starting));
    if (lock === undefined) return undefined;
    holder.folder = new DataFolder(path, requestedName, lock, loadOrMakeKey(path, beforeKey), starting);
    return holder.folder;
  }

  /** A file's content, `undefined` when there is none. */
  read(file: string): Buffer | undefined {
    const path = join(this.path, file);
    return existsSync(path) ? readFileSync(path) : undefined;
  }

  /** Replaces a file as a whole, durably: after a crash there is the old content or the new one. Mode 0600. */
  write(file: string, content: Uint8Array | string): void {
    writeDurably(join(this.path, file), content);
  }

  /** Whether this process still holds the folder. */
  get isHeld(): boolean {
    return this.lock.isHeld;
  }

  release(): void {
    this.lock.release();
  }
}

/** Replaces a file as a whole, durably. Mode 0600 unless said otherwise. */
export function writeDurably(path: string, content: Uint8Array | string, mode = 0o600): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  const file = openSync(temporary, 'wx', mode);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/**
 * What the processes that hold folders below `dataDir` say of their health: for a container's health check, which
 * shares the folders with other containers and knows no identity, only its host's name.
 */
export async function healthOfHolders(dataDir: string, role: Role): Promise<readonly Health[]> {
  const roleDir = resolve(dataDir, role);
  if (!existsSync(roleDir)) return [];
  const folders = readdirSync(roleDir);
  const answers = await Promise.all(folders.map((folder) => askHolder(join(roleDir, folder))));
  return answers.flatMap((answer) =>
    answer === undefined || answer.trim() === '' ? [] : [JSON.parse(answer) as Health],
  );
}

function loadOrMakeKey(folder: string, beforeKey: (path: string) => void): Identity {
  const path = join(folder, keyFile);
  if (existsSync(path)) return identityOf(createPrivateKey(readFileSync(path)));
  beforeKey(folder);
  const identity = generateIdentity();
  writeDurably(path, identity.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return identity;
}
