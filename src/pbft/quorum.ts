import { replicaIndex, type ReplicaIndex, type View } from './types.js';

/** The fewest replicas that tolerate one Byzantine replica. */
export const replicasMin = 4;

/** The most replicas that a membership may have: votes are all-to-all, so cost grows with n². */
export const replicasMax = 64;

/** f: how many of n replicas may be Byzantine (rule 1). */
export function faultsTolerated(n: number): number {
  return Math.floor((n - 1) / 3);
}

/**
 * q = ⌈(n+f+1)/2⌉ (rule 1): any two sets of q replicas share a correct one. It is 2f+1 exactly when n = 3f+1; with
 * n = 5 or 6 a plain 2f+1 would let two quorums meet in the Byzantine replica alone.
 */
export function quorumSize(n: number): number {
  return Math.ceil((n + faultsTolerated(n) + 1) / 2);
}

/** primary(v) = replicas[v mod n] (paper §4.1). The view itself is never reduced. */
export function primaryOf(view: View, n: number): ReplicaIndex {
  return replicaIndex(view % n);
}
