import { createHash, randomBytes } from 'node:crypto';

/** What every API key begins with, so that it is known as one wherever it turns up. */
const prefix = 'quorate_';
const secretBytes = 32;

/** A new API key, of 256 random bits. It is shown once; what is kept is its digest. */
export function newApiKey(): string {
  return prefix + randomBytes(secretBytes).toString('base64url');
}

export function isApiKey(text: string): boolean {
  return text.startsWith(prefix);
}

/** SHA-256: a key is too random to be guessed from it, so that nothing slower is needed. */
export function digestOfKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}
