import { createRequire } from 'node:module';

/** What is used of libsodium. */
export interface Sodium {
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/**
 * A signature with a point of order 8 added to its R: who multiplies by the cofactor accepts it, OpenSSL does not. The key is that
 * of the seed of 32 sevens.
 */
export const cofactored = {
  message: Buffer.from('cofactor'),
  publicKey: Buffer.from('ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c', 'hex'),
  signature: Buffer.from(
    'ef836a0d11bbd2e8449b8d455c729c79d69a7e58860a2a25502f9ef0a8691399' +
      'ae40245456361c5eff309462f4342fb0d4347f4031804c2bd5130110f2ecba01',
    'hex',
  ),
} as const;

/**
 * A binding, unless it judges signatures otherwise than node:crypto, which others have in its place: there are releases of
 * libraries that do, and two verifiers that differ can fork a cluster (rule 6).
 */
export function judgingAlike(binding: Sodium): Sodium | undefined {
  const { signature, message, publicKey } = cofactored;
  return binding.crypto_sign_verify_detached(signature, message, publicKey) ? undefined : binding;
}

/**
 * libsodium, where its binding is installed and has a build for this machine (it is an optional dependency; on Alpine Linux, say,
 * there is none); else `undefined`, and node:crypto does the same in twice the time.
 */
export const sodium: Sodium | undefined = (() => {
  try {
    return judgingAlike(createRequire(import.meta.url)('sodium-native') as Sodium);
  } catch {
    return undefined;
  }
})();
