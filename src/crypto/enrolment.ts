import { hkdfSync } from 'node:crypto';
import { QuorateError } from '../errors.js';
import { Writer } from '../wire/bytes.js';
import { identityFromSeed, seedBytes, type Identity } from './ed25519.js';

const enrolmentDomain = Buffer.from('quorate/1/enrol\0', 'ascii');
const authorityDomain = Buffer.from('quorate/1/authority\0', 'ascii');

/** The fewest characters of a join token. */
const joinTokenCharactersMin = 16;

/** What somebody is admitted as. */
export type EnrolmentRole = 'replica' | 'gateway';

const roleCodes: Readonly<Record<EnrolmentRole, number>> = { replica: 0, gateway: 1 };

export interface Enrolment {
  readonly cluster: string;
  readonly role: EnrolmentRole;
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The requested name; '' when it was left to the cluster to allot one. */
  readonly name: string;
}

/** What the authority signs to admit a key to a cluster. */
export function enrolmentStatement({ cluster, role, publicKey, name }: Enrolment): Buffer {
  return new Writer().raw(enrolmentDomain).text(cluster).u8(roleCodes[role]).raw(publicKey).text(name).done();
}

/**
 * The key pair that admits replicas and gateways, made from the join token alone: whoever has the token can enrol, and
 * the token itself is never sent or written.
 * @throws {QuorateError} `invalid-setting` when the token is too short
 */
export function authorityFromToken(token: string, cluster: string): Identity {
  if (token.length < joinTokenCharactersMin) {
    const expected = `at least ${joinTokenCharactersMin} characters`;
    const message = `JOIN_TOKEN has ${token.length} characters; it should have ${expected}`;
    throw new QuorateError('invalid-setting', message, { setting: 'JOIN_TOKEN', expected });
  }
  const info = new Writer().raw(authorityDomain).text(cluster).done();
  return identityFromSeed(
    Buffer.from(hkdfSync('sha256', Buffer.from(token, 'utf8'), Buffer.alloc(0), info, seedBytes)),
  );
}
