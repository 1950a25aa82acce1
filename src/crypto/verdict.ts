import { verify } from './ed25519.js';
import type { Membership } from './membership.js';

/** Something that is verified offline is refused, with a stable code. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** @throws {Refused} unless `condition` holds */
export function demand(condition: boolean, code: string, message: string): asserts condition {
  if (!condition) throw new Refused(code, message);
}

/** What can be wrong with signatures under one statement, in the order in which it is looked at. */
export type SignatureFault = 'too-few-signatures' | 'unknown-replica' | 'repeated-replica' | 'invalid-signature';

/**
 * The names of distinct members that have signed `statement`.
 * @throws {Refused} when fewer than `needed` are given, or any of them is not genuine
 */
export function signersOf(
  signatures: readonly { readonly replica: string; readonly signature: Buffer }[],
  membership: Membership,
  statement: Buffer,
  needed: number,
): string[] {
  const few = `${String(needed)} signatures are needed, there are ${String(signatures.length)}`;
  demand(signatures.length >= needed, 'too-few-signatures', few);
  const signers = new Set<string>();
  for (const { replica, signature } of signatures) {
    const index = membership.indexOf(replica);
    const member = index === undefined ? undefined : membership.replicas[index];
    demand(member !== undefined, 'unknown-replica', `${JSON.stringify(replica)} is not in the membership`);
    demand(!signers.has(replica), 'repeated-replica', `${replica} has signed twice`);
    signers.add(replica);
    const isValid = verify(member.publicKey, statement, signature);
    demand(isValid, 'invalid-signature', `the signature of ${replica} is not over this statement`);
  }
  return [...signers];
}
