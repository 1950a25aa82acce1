import { describe, expect, it } from '@jest/globals';
import { ed25519 } from '@noble/curves/ed25519.js';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import {
  generateIdentity,
  identityFromSeed,
  identityOf,
  publicKeyFromRaw,
  sign,
  verify,
} from '../../../src/crypto/ed25519.js';
import { identityNamed, signedWithIdentityPoint } from './support.js';

const hex = (text: string) => Buffer.from(text, 'hex');

describe('Ed25519', () => {
  it('gives the keys and signatures of RFC 8032 §7.1', () => {
    const identity = identityFromSeed(hex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'));
    expect(identity.rawPublicKey.toString('hex')).toBe(
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    );
    expect(sign(identity.privateKey, hex('af82')).toString('hex')).toBe(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    );
  });

  it('verifies with the raw public key, and nothing but that message under that key', () => {
    const { privateKey, rawPublicKey } = generateIdentity();
    const publicKey = publicKeyFromRaw(rawPublicKey);
    const message = Buffer.from('peace');
    const signature = sign(privateKey, message);
    expect(verify(publicKey, message, signature)).toBe(true);
    expect(verify(publicKey, Buffer.from('piece'), signature)).toBe(false);
    expect(verify(generateIdentity().publicKey, message, signature)).toBe(false);
    for (let index = 0; index < signature.length; index++) {
      const altered = Buffer.from(signature);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      expect(verify(publicKey, message, altered)).toBe(false);
    }
  });

  it('refuses a signature of another length, and the second form of S (S + group order)', () => {
    const { privateKey, publicKey } = generateIdentity();
    const message = Buffer.from('peace');
    const signature = sign(privateKey, message);
    expect(verify(publicKey, message, signature.subarray(0, 63))).toBe(false);
    expect(verify(publicKey, message, Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false);
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    const malleated = Buffer.concat([signature.subarray(0, 32), hex(s.toString(16).padStart(64, '0')).reverse()]);
    expect(verify(publicKey, message, malleated)).toBe(false);
  });

  it('refuses the identity in the place of R, over which versions of Node.js differ', () => {
    const message = Buffer.from('peace');
    const signature = signedWithIdentityPoint('Eve', message);
    const { publicKey, rawPublicKey } = identityNamed('Eve');
    expect(ed25519.verify(signature, message, rawPublicKey, { zip215: false })).toBe(true); // the equation holds
    expect(verify(publicKey, message, signature)).toBe(false);
  });

  it('makes an identity of a stored private key, and of no other kind of key', () => {
    const { privateKey, rawPublicKey } = generateIdentity();
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(identityOf(createPrivateKey(pem)).rawPublicKey).toEqual(rawPublicKey);
    expect(() => identityOf(generateKeyPairSync('x25519').privateKey)).toThrow(TypeError);
    expect(() => identityFromSeed(Buffer.alloc(31))).toThrow(RangeError);
  });
});
