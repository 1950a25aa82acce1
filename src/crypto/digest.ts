import { createHash, hash } from 'node:crypto';
import { digest, type Digest } from '../pbft/types.js';

/** SHA-256 of `bytes` as a `Digest` (hexadecimal). */
export function sha256(bytes: Uint8Array): Digest {
  return digest(hash('sha256', bytes, 'hex'));
}

/** SHA-256 over the concatenation of `parts`, as 32 bytes. */
export function sha256Bytes(...parts: readonly Uint8Array[]): Buffer {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return hash('sha256', only, 'buffer'); // takes a third of the time
  const hasher = createHash('sha256');
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}
