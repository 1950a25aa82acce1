import { createHash } from 'node:crypto';
import { QuorateError } from '../errors.js';

const keyCharactersMax = 256;

/** @throws {QuorateError} `invalid-request` for what is no idempotency key */
export function assertIdempotencyKey(key: string): void {
  if (key.length > 0 && key.length <= keyCharactersMax) return;
  throw new QuorateError('invalid-request', `an Idempotency-Key has 1 to ${keyCharactersMax} characters`);
}

/** The client that a request under this idempotency key belongs to: one of its own, so that it is executed once everywhere. */
export function clientOfKey(idempotencyKey: string): string {
  return `key:${sha256(idempotencyKey)}`;
}

/** The key that a gateway uses for what `owner` calls so: each has keys of its own, and nobody gets another's reply by guessing one. */
export function keyOfOwner(owner: string, idempotencyKey: string): string {
  return `client:${sha256(`${owner}\n${idempotencyKey}`)}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
