import { createRequire } from 'node:module';

/** What is used of libsodium. */
export interface Sodium {
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** Bytes of the secret key as libsodium wants it: the seed, and the public key behind it. */
export const secretKeyBytes = 64;

/**
 * libsodium, where its binding is installed and has a build for this machine (it is an optional dependency; on Alpine Linux, say,
 * there is none); else `undefined`, and node:crypto does the same in twice the time.
 */
export const sodium: Sodium | undefined = (() => {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
})();
