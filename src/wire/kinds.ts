import { signatureBytes } from '../crypto/ed25519.js';
import { signedKinds, type SignedKind } from '../crypto/genesis.js';

/** The kinds of message; their numbers are part of the signed bytes. */
export type Kind = Exclude<SignedKind, 'genesis'>;

const kindsByNumber = new Map<number, Kind>(
  Object.entries(signedKinds)
    .filter(([kind]) => kind !== 'genesis') // signed by founders, never sent in a frame
    .map(([kind, number]) => [number, kind as Kind]),
);

/** The kind with this number, or `undefined`. */
export function kindOf(number: number): Kind | undefined {
  return kindsByNumber.get(number);
}

/** The kinds with which replicas agree on a batch. */
export type Vote = 'pre-prepare' | 'prepare' | 'commit';

export function isVote(kind: Kind): kind is Vote {
  return kind === 'pre-prepare' || kind === 'prepare' || kind === 'commit';
}

/** Bytes of a vote's body: view, sequence number, digest (phase.ts). */
export const voteBodyBytes = 8 + 8 + 32;
/** Bytes of a pledge, and of its opening (pledges.ts). */
export const openingBytes = 32;
/** Bytes of a vote's signature, with the pledge or the opening that follows it. */
export const voteSignatureBytes = signatureBytes + openingBytes;
