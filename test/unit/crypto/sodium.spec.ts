import { describe, expect, it } from '@jest/globals';
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import { createHash, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { identityFromSeed, publicKeyFromRaw, sign, verify } from '../../../src/crypto/ed25519.js';
import { cofactored, judgingAlike, sodium, type Sodium } from '../../../src/crypto/sodium.js';
import { forEachSeed, type Random } from '../../support/seeds.js';

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const torsion = ED25519_TORSION_SUBGROUP.map((point) => Point.fromHex(point, true));

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const littleEndian = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const bytesOf = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random.below(256)));

/** Signatures under a sound key, good ones and such as only who has the key can make: with any R, torsion and all, and any S. */
function signaturesOf(random: Random, seed: Buffer, rawPublicKey: Uint8Array, message: Buffer): Buffer[] {
  const secret = createHash('sha512').update(seed).digest().subarray(0, 32);
  secret[0]! &= 248;
  secret[31] = (secret[31]! & 127) | 64;
  const nonce = 1n + (number(bytesOf(random, 32)) % (order - 1n));
  return torsion.flatMap((point) =>
    [Point.BASE.multiply(nonce), Point.ZERO].flatMap((base, rank) => {
      const r = Buffer.from(base.add(point).toBytes());
      const hash = number(createHash('sha512').update(r).update(rawPublicKey).update(message).digest());
      const s = ((rank === 0 ? nonce : 0n) + hash * number(secret)) % order;
      return [s, s + order, (order - s) % order].map((value) => Buffer.concat([r, littleEndian(value)]));
    }),
  );
}

describe('a binding of libsodium', () => {
  const { message, publicKey, signature } = cofactored;
  const judging = (verdict: boolean): Sodium => ({
    crypto_sign_detached: () => undefined,
    crypto_sign_verify_detached: (...asked) => {
      expect(asked).toEqual([signature, message, publicKey]);
      return verdict;
    },
  });

  it('is not used when it accepts what only a verifier with cofactor does', () => {
    expect(judgingAlike(judging(true))).toBeUndefined();
    const alike = judging(false);
    expect(judgingAlike(alike)).toBe(alike);
  });

  it('is asked about a signature that tells verifiers with and without cofactor apart', () => {
    const { privateKey, rawPublicKey } = identityFromSeed(Buffer.alloc(32, 7));
    const key = publicKeyFromRaw(rawPublicKey);
    expect(rawPublicKey).toEqual(publicKey);
    expect(ed25519.verify(signature, message, publicKey)).toBe(true); // with cofactor
    expect([nodeVerify(null, message, key, signature), verify(key, message, signature)]).toEqual([false, false]);
    // It is one that only who has the key can make: nothing but the torsion in R is wrong with it.
    const nonce = number(createHash('sha256').update('nonce').digest()) % order;
    const r = Point.BASE.multiply(nonce).add(torsion[1]!);
    expect(Buffer.from(r.toBytes())).toEqual(signature.subarray(0, 32));
    expect(torsion[1]!.multiplyUnsafe(4n).is0()).toBe(false);
    expect(verify(key, message, sign(privateKey, message))).toBe(true);
  });
});

describe('libsodium beside node:crypto', () => {
  it('is here, so that this compares two libraries', () => {
    expect(sodium).toBeDefined();
  });

  it('gives the same signatures, and judges every signature alike, those that are made to tell verifiers apart included', () => {
    let accepted = 0;
    forEachSeed(6, (random) => {
      const seed = bytesOf(random, 32);
      const { privateKey, rawPublicKey } = identityFromSeed(seed);
      const publicKey = publicKeyFromRaw(rawPublicKey);
      const message = bytesOf(random, random.below(300));
      const good = sign(privateKey, message);
      expect(good).toEqual(nodeSign(null, message, privateKey));
      const altered = Array.from({ length: 24 }, () => {
        const bytes = Buffer.from(good);
        bytes[random.below(64)]! ^= 1 << random.below(8);
        return bytes;
      });
      for (const signature of [good, ...altered, ...signaturesOf(random, seed, rawPublicKey, message)]) {
        // Under a sound key only the identity can be an R of small order, and is refused before either library is asked.
        const isIdentity = number(signature.subarray(0, 32)) === 1n;
        const byNode = !isIdentity && nodeVerify(null, message, publicKey, signature);
        expect(verify(publicKey, message, signature)).toBe(byNode);
        if (!isIdentity) expect(sodium!.crypto_sign_verify_detached(signature, message, rawPublicKey)).toBe(byNode);
        if (byNode) accepted++;
      }
    });
    expect(accepted).toBe(6 * 2); // the one that was signed, and the one with another nonce and no torsion
  });
});
