import { ed25519 } from '@noble/curves/ed25519.js';
import { QuorateError } from '../errors.js';

/** Bytes of an Ed25519 public key. */
export const publicKeyBytes = 32;

/**
 * What is wrong with `bytes` as an Ed25519 public key; `undefined` when it is the one encoding of a point of the prime
 * order subgroup other than the identity.
 *
 * node:crypto takes every 32 bytes that decode to some point (rule 6), and its versions differ in what they verify under
 * them. Under a point of small order one signature fits many messages (under the identity: all of them); a second
 * encoding of one key, or a key with a torsion component, is judged differently by different verifiers, which can fork
 * a cluster.
 */
export function publicKeyFault(bytes: Uint8Array): string | undefined {
  if (bytes.length !== publicKeyBytes) return `a public key has ${publicKeyBytes} bytes, not ${bytes.length}`;
  let point;
  try {
    point = ed25519.Point.fromBytes(bytes, false);
  } catch {
    return 'not the encoding of a point of the curve';
  }
  if (!Buffer.from(point.toBytes()).equals(bytes)) return 'not the canonical encoding of its point';
  if (point.isSmallOrder()) return 'a point of small order';
  if (!point.isTorsionFree()) return 'a point outside the prime order subgroup';
  return undefined;
}

/**
 * Every key that comes from outside passes here once, before its first signature is verified.
 * @throws {QuorateError} `enrolment-refused`
 */
export function assertSoundPublicKey(bytes: Uint8Array): void {
  const fault = publicKeyFault(bytes);
  if (fault !== undefined) throw new QuorateError('enrolment-refused', `unsound public key: ${fault}`);
}
