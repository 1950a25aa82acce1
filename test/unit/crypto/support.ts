import { ed25519 } from '@noble/curves/ed25519.js';
import { hash } from 'node:crypto';
import { identityFromSeed, sign, type Identity } from '../../../src/crypto/ed25519.js';
import { enrolmentStatement } from '../../../src/crypto/enrolment.js';
import { genesisDigest, preamble, type Genesis } from '../../../src/crypto/genesis.js';
import { Membership } from '../../../src/crypto/membership.js';

function seedNamed(label: string): Buffer {
  return hash('sha256', `quorate test key: ${label}`, 'buffer');
}

/** The same key pair for the same label, always. */
export function identityNamed(label: string): Identity {
  return identityFromSeed(seedNamed(label));
}

/**
 * A signature of `identityNamed(label)` whose R is the identity: S = h·a solves the equation S·B = R + h·A. Node.js 20
 * accepts it, Node.js 24.21 does not.
 */
export function signedWithIdentityPoint(label: string, message: Uint8Array): Buffer {
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seedNamed(label));
  const r = Buffer.alloc(32).fill(1, 0, 1);
  const h = ed25519.Point.Fn.create(littleEndian(hash('sha512', Buffer.concat([r, pointBytes, message]), 'buffer')));
  const s = ed25519.Point.Fn.mul(h, scalar);
  return Buffer.concat([r, Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** A cluster with all its private keys, the same for the same n. */
export interface TestCluster {
  readonly authority: Identity;
  readonly identities: readonly Identity[];
  readonly genesis: Genesis;
  readonly founderSignatures: readonly Buffer[];
  readonly enrolments: readonly Buffer[];
}

export function testCluster(n: number): TestCluster {
  const cluster = `test-${String(n)}`;
  const authority = identityNamed(`${cluster} authority`);
  const names = Array.from({ length: n }, (_, index) => `replica-${String(index + 1)}`);
  const identities = names.map((name) => identityNamed(`${cluster} ${name}`));
  const replicas = names.map((name, index) => {
    return { name, publicKey: identities[index]?.rawPublicKey ?? Buffer.alloc(0) };
  });
  const genesis: Genesis = {
    cluster,
    authority: authority.rawPublicKey,
    stateMachine: 'key-value@1',
    checkpointInterval: 128,
    logSize: 256,
    replicas,
  };
  return { authority, identities, genesis, ...signaturesOf(genesis, identities, authority) };
}

/** What founders and authority sign; the first founder chose its name, the others were allotted theirs. */
export function signaturesOf(genesis: Genesis, identities: readonly Identity[], authority: Identity) {
  const statement = preamble(genesisDigest(genesis), 0, 'genesis');
  return {
    founderSignatures: identities.map(({ privateKey }) => sign(privateKey, statement)),
    enrolments: genesis.replicas.map(({ name, publicKey }, index) => {
      const requested = index === 0 ? name : '';
      const enrolment = { cluster: genesis.cluster, role: 'replica', publicKey, name: requested } as const;
      return sign(authority.privateKey, enrolmentStatement(enrolment));
    }),
  };
}

export function testMembership(n: number): Membership {
  const { genesis, founderSignatures, enrolments } = testCluster(n);
  return new Membership(genesis, founderSignatures, enrolments);
}
