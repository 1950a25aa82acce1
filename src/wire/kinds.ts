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
