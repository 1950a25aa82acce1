import { Random } from './random.js';
import type { Membership } from '../crypto/membership.js';
import { enrolmentStatement } from '../crypto/enrolment.js';
import { Ed25519Signer, Ed25519Verifier } from '../crypto/signatures.js';
import { sign } from '../crypto/ed25519.js';
import type { ReplicaIndex } from '../pbft/types.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import type { Credential } from '../wire/credential.js';
import { identityNamed, type Founders } from './founders.js';

/** How everybody in a simulation signs and verifies. */
export interface Signatures {
  readonly verifier: Verifier;
  signerOf(name: string): Signer;
  /** Of a gateway that the authority has admitted. */
  credentialOf(gateway: string): Credential;
}

/** Real Ed25519, as in production. */
export function realSignatures({ membership, authority, identities }: Founders): Signatures {
  const identityOf = (name: string) => identities[membership.indexOf(name) ?? -1] ?? identityNamed(name);
  return {
    verifier: new Ed25519Verifier(membership),
    signerOf: (name) => new Ed25519Signer(identityOf(name)),
    credentialOf(name) {
      const publicKey = identityNamed(name).rawPublicKey;
      return { name, publicKey, enrolment: sign(authority.privateKey, gatewayStatement(membership, name, publicKey)) };
    },
  };
}

/** Two secret words and what follows from them. */
interface ModelledKey {
  readonly high: number;
  readonly low: number;
}

const tagBytes = 64;

/**
 * Signatures that cost next to nothing: 64 bits over the message, keyed with a secret that only its signer is handed. Nobody
 * in the simulation looks for collisions, so nobody forges one.
 */
export function modelledSignatures({ membership }: Founders): Signatures {
  const keys = new Map<string, ModelledKey>();
  const keyOf = (name: string): ModelledKey => {
    const known = keys.get(name);
    if (known !== undefined) return known;
    const random = Random.stream(0x5eed, name);
    const key = { high: random.below(2 ** 32) | 0, low: random.below(2 ** 32) | 0 };
    keys.set(name, key);
    return key;
  };
  const replicas = membership.replicas.map(({ name }) => keyOf(name));
  const authority = keyOf('the authority');
  const credentialOf = (name: string): Credential => {
    const publicKey = Buffer.alloc(32, name);
    return { name, publicKey, enrolment: tagOf(authority, gatewayStatement(membership, name, publicKey)) };
  };
  const admitted = new Set<string>();
  const isAdmitted = ({ name, publicKey, enrolment }: Credential): boolean => {
    const id = `${name}\n${publicKey.toString('latin1')}\n${enrolment.toString('latin1')}`;
    if (admitted.has(id)) return true;
    const isGenuine =
      publicKey.equals(Buffer.alloc(32, name)) &&
      fits(authority, gatewayStatement(membership, name, publicKey), enrolment);
    if (isGenuine) admitted.add(id);
    return isGenuine;
  };
  return {
    signerOf(name) {
      const key = keyOf(name);
      return { sign: (message) => tagOf(key, message), openingOf: (statement) => openingOf(key, statement) };
    },
    credentialOf,
    verifier: {
      verifyReplica(replica: ReplicaIndex, message, signature) {
        const key = replicas[replica];
        return key !== undefined && fits(key, message, signature);
      },
      verifyGateway: (credential, message, signature) =>
        isAdmitted(credential) && fits(keyOf(credential.name), message, signature),
    },
  };
}

function gatewayStatement({ genesis }: Membership, name: string, publicKey: Uint8Array): Buffer {
  return enrolmentStatement({ cluster: genesis.cluster, role: 'gateway', publicKey, name });
}

function tagOf(key: ModelledKey, message: Uint8Array): Buffer {
  const tag = Buffer.alloc(tagBytes);
  tag.writeInt32BE(mixed(message, key.high), 0);
  tag.writeInt32BE(mixed(message, key.low), 4);
  return tag;
}

/** Another function of the secret than signatures are: by its words exchanged, and inverted. */
function openingOf({ high, low }: ModelledKey, statement: Uint8Array): Buffer {
  return tagOf({ high: ~low, low: ~high }, statement).subarray(0, 32);
}

function fits(key: ModelledKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== tagBytes) return false;
  const tag = Buffer.from(signature.buffer, signature.byteOffset, tagBytes);
  if (tag.readInt32BE(0) !== mixed(message, key.high) || tag.readInt32BE(4) !== mixed(message, key.low)) return false;
  for (let index = 8; index < tagBytes; index += 4) if (tag.readInt32BE(index) !== 0) return false;
  return true;
}

/** MurmurHash3's 32 bits, with a secret seed. */
function mixed(message: Uint8Array, secret: number): number {
  const bytes = Buffer.isBuffer(message) ? message : Buffer.from(message);
  const { length } = bytes;
  let state = secret;
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    let word = Math.imul(bytes.readInt32LE(index), 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    state ^= Math.imul(word, 0x1b873593);
    state = (state << 13) | (state >>> 19);
    state = (Math.imul(state, 5) + 0xe6546b64) | 0;
  }
  let rest = length;
  for (; index < length; index++) rest = Math.imul(rest, 257) + bytes.readUInt8(index);
  state ^= Math.imul(rest, 0x85ebca6b);
  state ^= state >>> 16;
  state = Math.imul(state, 0x85ebca6b);
  state ^= state >>> 13;
  state = Math.imul(state, 0xc2b2ae35);
  return state ^ (state >>> 16);
}
