import { hkdfSync, type KeyObject } from 'node:crypto';
import type { ReplicaIndex } from '../pbft/types.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import type { Credential } from '../wire/credential.js';
import { sha256Bytes } from './digest.js';
import { publicKeyFromRaw, seedOf, sign, verify, type Identity } from './ed25519.js';
import { enrolmentStatement } from './enrolment.js';
import { namePattern } from './genesis.js';
import type { Membership } from './membership.js';
import { publicKeyFault } from './public-key.js';

/** Admitted gateways whose keys are kept ready. */
const gatewaysMax = 1024;

const openingDomain = 'quorate/1/opening\0';

/**
 * Signs with a key of node:crypto. An opening is SHA-256(key ‖ statement), under a key that follows from the same seed by HKDF (RFC 5869):
 * statements of one kind have one length, so that no opening leads to another one.
 */
export class Ed25519Signer implements Signer {
  private openingKey: Buffer | undefined;

  constructor(private readonly identity: Identity) {}

  sign(message: Uint8Array): Buffer {
    return sign(this.identity.privateKey, message);
  }

  openingOf(statement: Uint8Array): Buffer {
    this.openingKey ??= Buffer.from(hkdfSync('sha256', seedOf(this.identity.privateKey), '', openingDomain, 32));
    return sha256Bytes(Buffer.concat([this.openingKey, statement]));
  }
}

/** Verifies with the keys of a membership, and of the gateways that its authority has admitted. */
export class Ed25519Verifier implements Verifier {
  private readonly authority: KeyObject;
  private readonly gateways = new Map<string, KeyObject>();

  constructor(private readonly membership: Membership) {
    this.authority = publicKeyFromRaw(membership.genesis.authority);
  }

  verifyReplica(replica: ReplicaIndex, message: Uint8Array, signature: Uint8Array): boolean {
    const member = this.membership.replicas[replica];
    return member !== undefined && verify(member.publicKey, message, signature);
  }

  verifyGateway(credential: Credential, message: Uint8Array, signature: Uint8Array): boolean {
    const key = this.keyOf(credential);
    return key !== undefined && verify(key, message, signature);
  }

  private keyOf({ name, publicKey, enrolment }: Credential): KeyObject | undefined {
    const id = `${name}\n${publicKey.toString('base64')}\n${enrolment.toString('base64')}`;
    const known = this.gateways.get(id);
    if (known !== undefined) return known;
    const { cluster } = this.membership.genesis;
    const statement = enrolmentStatement({ cluster, role: 'gateway', publicKey, name });
    if (!namePattern.test(name) || !verify(this.authority, statement, enrolment)) return undefined;
    if (publicKeyFault(publicKey) !== undefined) return undefined;
    const key = publicKeyFromRaw(publicKey);
    if (this.gateways.size >= gatewaysMax) this.gateways.clear(); // they are admitted again when they speak again
    this.gateways.set(id, key);
    return key;
  }
}
