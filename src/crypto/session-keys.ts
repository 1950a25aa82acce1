import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import type { ReplicaIndex } from '../pbft/types.js';
import { tagBytes, type SessionKeys } from '../ports/signatures.js';
import { Writer } from '../wire/bytes.js';
import { seedBytes, type Identity } from './ed25519.js';
import type { Membership } from './membership.js';

const keyBytes = 32;
const keyDomain = Buffer.from('quorate/1/session-key\0', 'ascii');
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * Session keys without an exchange of messages: both sides agree on a secret by X25519 with the keys that the membership names, Ed25519's
 * taken to the curve's Montgomery form (RFC 7748 §4.1), and derive from it by HKDF-SHA-256 one key for each direction, bound to the cluster
 * and its epoch. They live as long as the identities do, whose private keys they follow from, and are written nowhere.
 *
 * One key pair for signatures and for the agreement is safe where the secret goes through a hash function before it is used, as here
 * (Thormarker, “On using the same key pair for Ed25519 and an X25519 based KEM”, 2021).
 */
export class DerivedSessionKeys implements SessionKeys {
  private readonly sending: readonly Buffer[];
  private readonly receiving: readonly Buffer[];

  constructor(identity: Identity, membership: Membership, self: ReplicaIndex) {
    const privateKey = agreementKeyOf(identity);
    const secrets = membership.replicas.map(({ publicKey }) =>
      diffieHellman({ privateKey, publicKey: agreementPublicKeyOf(publicKey) }),
    );
    const keyOf = (secret: Buffer, from: number, to: number): Buffer => {
      const info = new Writer().raw(keyDomain).u64(membership.epoch).u16(from).u16(to).done();
      return Buffer.from(hkdfSync('sha256', secret, membership.digest, info, keyBytes));
    };
    this.sending = secrets.map((secret, other) => keyOf(secret, self, other));
    this.receiving = secrets.map((secret, other) => keyOf(secret, other, self));
  }

  tagFor(to: ReplicaIndex, message: Uint8Array): Buffer {
    const key = this.sending[to];
    if (key === undefined) throw new RangeError(`replica ${to} of ${this.sending.length}`);
    return tagOf(key, message);
  }

  fits(from: ReplicaIndex, message: Uint8Array, tag: Uint8Array): boolean {
    const key = this.receiving[from];
    return key !== undefined && tag.length === tagBytes && timingSafeEqual(tagOf(key, message), tag);
  }
}

function tagOf(key: Buffer, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(message).digest().subarray(0, tagBytes);
}

/** The X25519 key whose scalar is the Ed25519 key's (RFC 8032 §5.1.5). */
function agreementKeyOf({ privateKey }: Identity): KeyObject {
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const scalar = createHash('sha512').update(seed).digest().subarray(0, seedBytes); // X25519 clamps it as Ed25519 does
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, scalar]), format: 'der', type: 'pkcs8' });
}

function agreementPublicKeyOf(publicKey: KeyObject): KeyObject {
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const x = Buffer.from(ed25519.utils.toMontgomery(raw)).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}
