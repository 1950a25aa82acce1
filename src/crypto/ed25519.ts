import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as nodeSign,
  verify as nodeVerify,
  type KeyObject,
} from 'node:crypto';
import { assertSoundPublicKey } from './public-key.js';
import { sodium } from './sodium.js';

/** Bytes of an Ed25519 signature. */
export const signatureBytes = 64;

/** Bytes of the seed that an Ed25519 private key is made from. */
export const seedBytes = 32;

/** A key pair. The private key never leaves the process except into its own file. */
export interface Identity {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly rawPublicKey: Buffer;
}

const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A fresh key pair. */
export function generateIdentity(): Identity {
  return identityOf(generateKeyPairSync('ed25519').privateKey);
}

/** The key pair of a 32-byte seed (RFC 8032 §5.1.5). */
export function identityFromSeed(seed: Uint8Array): Identity {
  if (seed.length !== seedBytes) throw new RangeError(`an Ed25519 seed has ${seedBytes} bytes, not ${seed.length}`);
  return identityOf(createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' }));
}

/** The key pair of a private key, as read from its file. @throws {TypeError} when it is not an Ed25519 private key. */
export function identityOf(privateKey: KeyObject): Identity {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw new TypeError('not an Ed25519 private key');
  }
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, rawPublicKey: rawPublicKey(publicKey) };
}

/** Sound keys by their bytes: to see that a key is sound takes 4 ms, and the same few come again and again. */
const soundKeys = new Map<string, KeyObject>();
const soundKeysMax = 1024;
/** The bytes of each. */
const soundBytes = new WeakMap<KeyObject, Buffer>();

/** @throws {QuorateError} `enrolment-refused` when the key is unsound (rule 6) */
export function publicKeyFromRaw(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url');
  const known = soundKeys.get(x);
  if (known !== undefined) return known;
  assertSoundPublicKey(raw);
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  if (soundKeys.size >= soundKeysMax) soundKeys.clear();
  soundKeys.set(x, publicKey);
  soundBytes.set(publicKey, Buffer.from(raw));
  return publicKey;
}

/** The seed of a private key. Secret. @throws {TypeError} when the key does not tell it: nothing may follow from an empty one */
export function seedOf(privateKey: KeyObject): Buffer {
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  if (seed.length !== seedBytes) throw new TypeError('a private key without a seed');
  return seed;
}

/** The 32 bytes of an Ed25519 public key, or of the one that belongs to a private key. */
function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

const secretKeys = new WeakMap<KeyObject, Buffer>();

/** A private key as libsodium wants it: the seed, and the public key behind it. */
function secretKeyOf(privateKey: KeyObject): Buffer {
  const known = secretKeys.get(privateKey);
  if (known !== undefined) return known;
  const secretKey = Buffer.concat([seedOf(privateKey), rawPublicKey(privateKey)]);
  secretKeys.set(privateKey, secretKey);
  return secretKey;
}

/** 64 bytes, the same from both libraries (RFC 8032). */
export function sign(privateKey: KeyObject, message: Uint8Array): Buffer {
  if (sodium === undefined) return nodeSign(null, message, privateKey);
  const signature = Buffer.alloc(signatureBytes);
  sodium.crypto_sign_detached(signature, message, secretKeyOf(privateKey));
  return signature;
}

/** The first half of a signature that only who knows the private key can make, and only on purpose. */
const identityPoint = Buffer.alloc(32).fill(1, 0, 1);

/**
 * The only signature verifier of Quorate: two that differ at the edges can fork a cluster (rule 6). It judges as OpenSSL
 * does: without cofactor, S below the group order, R compared by its bytes. Node.js 24.21 and libsodium refuse points of
 * small order in the place of R, Node.js 20 does not; under a sound key only the identity can stand there, so it is refused
 * here, and nothing is left that they judge differently.
 * @param publicKey comes from `publicKeyFromRaw`, so that it is sound
 */
export function verify(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== signatureBytes || identityPoint.equals(signature.subarray(0, 32))) return false;
  const sound = soundBytes.get(publicKey);
  if (sodium === undefined || sound === undefined) return nodeVerify(null, message, publicKey, signature);
  return sodium.crypto_sign_verify_detached(signature, message, sound);
}

/**
 * As `verify`, under a key that comes with the message: to see that a key is sound takes 4 ms, which nobody may ask for with each
 * message. Here it need only be that all verifiers agree: keys and R of small order are refused, and keys that have another encoding; for a
 * key with a torsion component the equation without cofactor, which is OpenSSL's, has one answer.
 */
export function verifyUnderShownKey(rawKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (rawKey.length !== 32 || isSmallOrder(rawKey) || !isBelowPrime(rawKey)) return false;
  if (signature.length !== signatureBytes || isSmallOrder(signature.subarray(0, 32))) return false;
  try {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(rawKey).toString('base64url') },
      format: 'jwk',
    });
    return nodeVerify(null, message, key, signature);
  } catch {
    return false; // no point of the curve
  }
}

/** y of the 8 points of small order, little-endian; the sign bit, the last byte's highest, is that of x. */
const smallOrderYs: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

function isSmallOrder(point: Uint8Array): boolean {
  return smallOrderYs.includes(yOf(point).toString('hex'));
}

/** Whether y is below 2^255−19: above it there is a second encoding of the same point. */
function isBelowPrime(point: Uint8Array): boolean {
  const y = yOf(point);
  return y[31] !== 0x7f || y.subarray(1, 31).some((byte) => byte !== 0xff) || (y[0] ?? 0) < 0xed;
}

function yOf(point: Uint8Array): Buffer {
  const y = Buffer.from(point);
  y[31] = (y[31] ?? 0) & 0x7f;
  return y;
}
