import { createHash, timingSafeEqual } from 'node:crypto';
import { QuorateError } from '../errors.js';
import type { RateLimiter } from '../ports/rate-limiter.js';
import type { AccessRules, Client } from './access-rules.js';
import { isApiKey } from './api-key.js';
import { ALL_RIGHTS } from './rights.js';
import type { TokenReader } from './tokens.js';

const tokenCharactersMax = 8 * 1024;

export interface AccessOptions {
  /** Asked anew each time: the file may have changed. */
  readonly rules: () => AccessRules | undefined;
  readonly tokens: TokenReader | undefined;
  readonly limiter: RateLimiter;
  /** For clients whose entry does not say. */
  readonly requestsPerMinute: number;
  readonly operatorKey: string | undefined;
  readonly now: () => number;
}

/** Who asks, as far as the gateway can tell. */
export interface Principal extends Client {
  readonly isOperator: boolean;
}

/** Tells clients apart, and how much each may ask. */
export class AccessControl {
  constructor(private readonly options: AccessOptions) {}

  /**
   * Who sends this `Authorization`.
   * @throws {QuorateError} `unauthenticated`; `forbidden` for a genuine token whose subject has no rights here;
   *   `issuer-unavailable`
   */
  async identify(authorization: string | undefined): Promise<Principal> {
    const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || token.length > tokenCharactersMax) throw unauthenticated('A bearer token is needed.');
    const { rules, operatorKey, now, tokens } = this.options;
    if (operatorKey !== undefined && isSame(token, operatorKey)) {
      return { name: 'operator', rights: ALL_RIGHTS, isOperator: true };
    }
    if (isApiKey(token)) {
      const client = rules()?.ofKey(token, now());
      if (client === undefined) throw unauthenticated('The API key is not known, or its time is over.');
      return { ...client, isOperator: false };
    }
    if (tokens === undefined) throw unauthenticated('The bearer token is no API key.');
    const name = await tokens(token).catch((error: unknown) => {
      if (error instanceof QuorateError) throw error;
      throw unauthenticated('The token is not genuine, not for this service, or its time is over.', error);
    });
    const known = rules();
    const client = known === undefined ? { name, rights: ALL_RIGHTS } : known.named(name);
    if (client === undefined) throw new QuorateError('forbidden', `${name} has no rights here.`);
    return { ...client, isOperator: false };
  }

  /**
   * Counts one request.
   *
   * Closed when the counts cannot be reached: without them nobody would keep a flood of one client from all others, and
   * they are in the Redis without which hardly anything could be answered.
   * @returns how long to wait before the next one, milliseconds; 0 when this one may go on
   * @throws {QuorateError} `bus-unavailable`
   */
  async count({ name, requestsPerMinute, isOperator }: Principal): Promise<number> {
    if (isOperator) return 0;
    return await this.options.limiter.take(name, requestsPerMinute ?? this.options.requestsPerMinute);
  }
}

function unauthenticated(message: string, cause?: unknown): QuorateError {
  return new QuorateError('unauthenticated', message, {}, { cause });
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(a), digest(b));
}
