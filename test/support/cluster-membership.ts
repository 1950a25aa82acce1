import { sign, type Identity } from '../../src/crypto/ed25519.js';
import { enrolmentStatement } from '../../src/crypto/enrolment.js';
import type { Genesis } from '../../src/crypto/genesis.js';
import { Membership } from '../../src/crypto/membership.js';
import type { Credential } from '../../src/wire/credential.js';
import { identityNamed, signaturesOf } from '../unit/crypto/support.js';

/** A membership with the private keys of all its replicas: what no process ever has. */
export interface Founders {
  readonly membership: Membership;
  /** In the membership's order. */
  readonly identities: readonly Identity[];
  readonly authority: Identity;
}

export interface FoundersOptions {
  readonly n: number;
  readonly cluster: string;
  readonly checkpointInterval: number;
  readonly logSize: number;
}

/** The same founders for the same options, always. */
export function foundersOf({ n, cluster, checkpointInterval, logSize }: FoundersOptions): Founders {
  const authority = identityNamed(`${cluster} authority`);
  const names = Array.from({ length: n }, (_, index) => `replica-${index + 1}`);
  const identities = names.map((name) => identityNamed(`${cluster} ${name}`));
  const genesis: Genesis = {
    cluster,
    authority: authority.rawPublicKey,
    stateMachine: 'key-value@1',
    checkpointInterval,
    logSize,
    replicas: names.map((name, index) => ({ name, publicKey: identities[index]!.rawPublicKey })),
  };
  const { founderSignatures, enrolments } = signaturesOf(genesis, identities, authority);
  return { membership: new Membership(genesis, founderSignatures, enrolments), identities, authority };
}

/** A gateway that the authority has admitted. */
export function admittedGateway(
  { membership, authority }: Founders,
  name: string,
): { key: Identity; credential: Credential } {
  const key = identityNamed(`${membership.genesis.cluster} ${name}`);
  const publicKey = key.rawPublicKey;
  const statement = enrolmentStatement({ cluster: membership.genesis.cluster, role: 'gateway', publicKey, name });
  return { key, credential: { name, publicKey, enrolment: sign(authority.privateKey, statement) } };
}
