import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalidSetting, type Settings } from './settings.js';

/** Where the join token is kept when nothing else is said. */
export function defaultJoinTokenFile(dataDir: string): string {
  return join(dataDir, 'join-token');
}

/**
 * The cluster's join token: JOIN_TOKEN, or what JOIN_TOKEN_FILE holds (`DATA_DIR/join-token` when that is not set, either).
 * A file that does not exist is made, mode 0600, with a fresh random token.
 * @throws {QuorateError} `invalid-setting` when the file holds no token or cannot be read or made
 */
export async function readJoinToken(settings: Settings): Promise<string> {
  if (settings.joinToken !== undefined) return settings.joinToken;
  const file = settings.joinTokenFile ?? defaultJoinTokenFile(settings.dataDir);
  const token = await contentOf(file);
  if (token.length < 16) {
    throw invalidSetting('JOIN_TOKEN_FILE', file, 'a file that holds a token of at least 16 characters');
  }
  return token;
}

async function contentOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8').catch(async () => await create(file))).trim();
  } catch (error) {
    throw invalidSetting('JOIN_TOKEN_FILE', file, `a file that can be read or made (${String(error)})`);
  }
}

/** Written aside and then linked: whoever comes second finds a whole token, never half of one. */
async function create(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(aside, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(aside);
  }
  return await readFile(file, 'utf8');
}
