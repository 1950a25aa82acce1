/**
 * Why an input was refused. Nothing that a peer sends throws; each refusal has a reason that is counted and shown.
 *
 * - `ignore`: happens among correct replicas too (late, early, repeated).
 * - `fault`: a correct sender never does this, but it proves nothing to others.
 * - `evidence`: the signer contradicted itself or broke the protocol over its own signature.
 */
export const refusalSeverity = {
  // The core's
  duplicate: 'ignore',
  'already-executed': 'ignore',
  'outside-window': 'ignore',
  'old-view': 'ignore',
  'future-view': 'ignore',
  'buffer-full': 'ignore',
  'not-needed': 'ignore',
  'not-primary': 'fault',
  'vote-from-primary': 'fault',
  'digest-mismatch': 'evidence',
  'conflicting-vote': 'evidence',
  'empty-batch': 'evidence',
  'batch-too-large': 'evidence',
  'batch-view-mismatch': 'evidence',
  'time-out-of-bounds': 'fault',
  'stale-request': 'fault',
  'request-out-of-order': 'evidence',
  'too-many-clients': 'evidence',
  'expired-request': 'fault',
  'may-have-voted': 'ignore',
  'ordered-by-new-view': 'fault',
  'invalid-certificate': 'fault',
  'invalid-view-change': 'evidence',
  'invalid-new-view': 'evidence',
  'invalid-checkpoint': 'fault',
  // The host's, before the core sees anything
  'malformed-frame': 'fault',
  'oversized-frame': 'fault',
  'unknown-version': 'fault',
  'unknown-kind': 'fault',
  'wrong-channel': 'fault',
  'wrong-cluster': 'fault',
  'wrong-epoch': 'fault',
  'unknown-signer': 'fault',
  'bad-signature': 'fault',
  'not-admitted': 'fault',
  'foreign-client': 'evidence',
  'invalid-operation': 'fault',
  overloaded: 'ignore',
} as const;

export type RefusalReason = keyof typeof refusalSeverity;

export const refusalReasons = Object.keys(refusalSeverity) as readonly RefusalReason[];
