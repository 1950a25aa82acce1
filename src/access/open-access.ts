import { stat } from 'node:fs/promises';
import type { Settings } from '../config/settings.js';
import type { Logger } from '../ports/logger.js';
import type { RateLimiter } from '../ports/rate-limiter.js';
import { AccessControl } from './access-control.js';
import { readAccessRules, type AccessRules } from './access-rules.js';
import { tokenReader } from './tokens.js';

/** How often the file of clients is looked at, milliseconds: a key that is taken out of it is refused after so long. */
const lookMs = 2_000;

export interface OpenAccess {
  readonly control: AccessControl;
  close(): void;
}

/**
 * What the settings say of who may use the gateway; `undefined` when they say nothing, and everybody may.
 * A file that was changed is read again; while what it says is wrong, what it said before holds.
 * @throws {QuorateError} `invalid-setting`
 */
export async function openAccess(
  settings: Pick<Settings, 'accessFile' | 'jwt' | 'requestsPerMinute' | 'operatorKey'>,
  limiter: RateLimiter,
  logger: Logger,
): Promise<OpenAccess | undefined> {
  const { accessFile, jwt, requestsPerMinute, operatorKey } = settings;
  if (accessFile === undefined && jwt === undefined) return undefined;
  const tokens = jwt === undefined ? undefined : await tokenReader(jwt);
  let rules: AccessRules | undefined;
  let seen = '';
  const look = async (file: string): Promise<void> => {
    const { mtimeMs, size, ino } = await stat(file);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (version === seen) return;
    seen = version;
    rules = await readAccessRules(file);
  };
  let timer: NodeJS.Timeout | undefined;
  if (accessFile !== undefined) {
    rules = await readAccessRules(accessFile);
    timer = setInterval(() => {
      look(accessFile).catch((error: unknown) => {
        logger.error({ err: error }, 'the file of clients cannot be read: what it said before holds');
      });
    }, lookMs).unref();
  }
  const control = new AccessControl({
    ...{ rules: () => rules, tokens, limiter, requestsPerMinute, operatorKey },
    now: () => Date.now(),
  });
  return {
    control,
    close() {
      clearInterval(timer);
    },
  };
}
