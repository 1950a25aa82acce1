import { describe, expect, it } from '@jest/globals';
import { ed25519 } from '@noble/curves/ed25519.js';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { generateIdentity, publicKeyFromRaw, sign, verifyUnderShownKey } from '../../../src/crypto/ed25519.js';
import { assertSoundPublicKey, publicKeyFault } from '../../../src/crypto/public-key.js';
import { QuorateError } from '../../../src/errors.js';

const hex = (text: string) => Buffer.from(text, 'hex');

/** The canonical encodings of all eight points of small order. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];

/** Every encoding with y ≥ p, in both signs, and the two with x = 0 and the sign bit set. */
const nonCanonical = [
  ...Array.from({ length: 19 }, (_, excess) => (0xed + excess).toString(16)).flatMap((lowest) => [
    `${lowest}${'ff'.repeat(30)}7f`,
    `${lowest}${'ff'.repeat(31)}`,
  ]),
  `01${'00'.repeat(30)}80`,
  `ec${'ff'.repeat(31)}`,
];

/** A key as node:crypto takes it, with no check of ours. */
function uncheckedKey(raw: Buffer) {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
}

/**
 * Whether this node:crypto verifies under points of small order: versions before 24.21 do. That they differ is another
 * reason not to leave it to them.
 */
const isLenient = verify(
  null,
  Buffer.from('a message that nobody signed'),
  uncheckedKey(hex(smallOrder[0] ?? '')),
  Buffer.concat([hex(smallOrder[0] ?? ''), Buffer.alloc(32)]),
);

describe('soundness of public keys (rule 6)', () => {
  it('takes the keys that we make', () => {
    for (let count = 0; count < 20; count++) expect(publicKeyFault(generateIdentity().rawPublicKey)).toBeUndefined();
  });

  it.each(smallOrder)('refuses the point of small order %s', (encoding) => {
    expect(publicKeyFault(hex(encoding))).toBe('a point of small order');
  });

  it.each(nonCanonical)('refuses the non-canonical encoding %s', (encoding) => {
    expect(publicKeyFault(hex(encoding))).toMatch(/not the (canonical )?encoding/);
  });

  it('refuses a y that no point has', () => {
    expect(publicKeyFault(hex(`02${'00'.repeat(31)}`))).toBe('not the encoding of a point of the curve');
  });

  it.each(smallOrder.slice(1))('refuses a sound key with the torsion component %s', (encoding) => {
    const sound = ed25519.Point.fromBytes(generateIdentity().rawPublicKey);
    const torsioned = sound.add(ed25519.Point.fromHex(encoding)).toBytes();
    expect(publicKeyFault(torsioned)).toBe('a point outside the prime order subgroup');
  });

  it.each([0, 31, 33, 64])('refuses %i bytes', (length) => {
    expect(publicKeyFault(Buffer.alloc(length, 1))).toMatch(/32 bytes/);
  });

  it('lets no unsound key become a KeyObject', () => {
    expect(() => assertSoundPublicKey(hex(smallOrder[0] ?? ''))).toThrow(QuorateError);
    expect(() => publicKeyFromRaw(hex(smallOrder[0] ?? ''))).toThrow(/small order/);
  });

  it('is more than Node.js 20 asks for', () => {
    expect(isLenient || !process.version.startsWith('v20.')).toBe(true);
  });

  it('prevents one signature that fits every message', () => {
    const identityPoint = hex(smallOrder[0] ?? '');
    const signature = Buffer.concat([identityPoint, Buffer.alloc(32)]); // R = identity, S = 0: nobody signed this
    const verdicts = ['agree on 8888', 'agree on 1111', ''].map((message) => {
      return verify(null, Buffer.from(message), uncheckedKey(identityPoint), signature);
    });
    expect(verdicts).toEqual(Array(3).fill(isLenient));
    expect(publicKeyFault(identityPoint)).toBeDefined();
  });

  it('prevents a second text for one key', () => {
    const secondIdentity = hex(`ee${'ff'.repeat(30)}7f`); // y = p + 1
    const signature = Buffer.concat([hex(smallOrder[0] ?? ''), Buffer.alloc(32)]);
    expect(verify(null, Buffer.from('anything'), uncheckedKey(secondIdentity), signature)).toBe(isLenient);
    expect(publicKeyFault(secondIdentity)).toBeDefined();
  });
});

describe('a key that comes with its message (rule 6)', () => {
  const message = Buffer.from('agree on 8888');

  it('verifies what its owner has signed, and nothing else', () => {
    const { privateKey, rawPublicKey } = generateIdentity();
    const signature = sign(privateKey, message);
    expect(verifyUnderShownKey(rawPublicKey, message, signature)).toBe(true);
    expect(verifyUnderShownKey(rawPublicKey, Buffer.from('agree on 1111'), signature)).toBe(false);
    expect(verifyUnderShownKey(generateIdentity().rawPublicKey, message, signature)).toBe(false);
    expect(verifyUnderShownKey(rawPublicKey.subarray(1), message, signature)).toBe(false);
    expect(verifyUnderShownKey(rawPublicKey, message, signature.subarray(1))).toBe(false);
  });

  it.each([...smallOrder, ...nonCanonical, `02${'00'.repeat(31)}`])('is not %s', (encoding) => {
    for (const first of smallOrder) {
      const signature = Buffer.concat([hex(first), Buffer.alloc(32)]);
      expect(verifyUnderShownKey(hex(encoding), message, signature)).toBe(false);
    }
  });

  it('has no signature that begins with a point of small order, whatever its torsion: versions of Node.js differ there', () => {
    const scalar = 5n;
    for (const torsion of smallOrder) {
      const key = ed25519.Point.BASE.multiply(scalar).add(ed25519.Point.fromHex(torsion)).toBytes();
      for (const first of smallOrder) {
        const hash = createHash('sha512').update(hex(first)).update(key).update(message).digest();
        const { ORDER: order } = ed25519.Point.Fn;
        const s = (BigInt(`0x${Buffer.from(hash).reverse().toString('hex')}`) * scalar) % order;
        const signature = Buffer.concat([hex(first), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
        expect(verifyUnderShownKey(key, message, signature)).toBe(false);
      }
    }
  });
});
