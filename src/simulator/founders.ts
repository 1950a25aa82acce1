import { hash } from 'node:crypto';
import { identityFromSeed, sign, type Identity } from '../crypto/ed25519.js';
import { enrolmentStatement } from '../crypto/enrolment.js';
import { genesisDigest, preamble, type Genesis } from '../crypto/genesis.js';
import { Membership } from '../crypto/membership.js';

/** A membership with the private keys of all its replicas: what no process ever has. */
export interface Founders {
  readonly membership: Membership;
  /** In the membership's order. */
  readonly identities: readonly Identity[];
  readonly authority: Identity;
}

export interface Terms {
  readonly n: number;
  /** K and L of genesis. */
  readonly checkpointInterval: number;
  readonly logSize: number;
}

const cluster = 'simulated';
const identities = new Map<string, Identity>();
/** To verify a membership takes milliseconds, and the same few are wanted again and again. */
const founders = new Map<string, Founders>();

/** The same key pair for the same name, always. */
export function identityNamed(name: string): Identity {
  const identity = identities.get(name) ?? identityFromSeed(hash('sha256', `quorate simulated key: ${name}`, 'buffer'));
  identities.set(name, identity);
  return identity;
}

/** The same founders for the same terms, always. */
export function foundersOf({ n, checkpointInterval, logSize }: Terms): Founders {
  const id = `${n} ${checkpointInterval} ${logSize}`;
  const known = founders.get(id);
  if (known !== undefined) return known;
  const authority = identityNamed('the authority');
  const names = Array.from({ length: n }, (_, index) => `replica-${index + 1}`);
  const keys = names.map(identityNamed);
  const genesis: Genesis = {
    cluster,
    authority: authority.rawPublicKey,
    stateMachine: 'key-value@1',
    checkpointInterval,
    logSize,
    replicas: keys.map(({ rawPublicKey }, index) => ({ name: names[index] ?? '', publicKey: rawPublicKey })),
  };
  const statement = preamble(genesisDigest(genesis), 0, 'genesis');
  const signatures = keys.map(({ privateKey }) => sign(privateKey, statement));
  const enrolments = genesis.replicas.map(({ name, publicKey }) =>
    sign(authority.privateKey, enrolmentStatement({ cluster, role: 'replica', publicKey, name })),
  );
  const made = { membership: new Membership(genesis, signatures, enrolments), identities: keys, authority };
  founders.set(id, made);
  return made;
}
