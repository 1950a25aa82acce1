import { planNewView } from '../../src/pbft/certificates.js';
import type {
  NewView,
  PreparedCertificate,
  PrePrepare,
  StableCheckpoint,
  ViewChange,
} from '../../src/pbft/messages.js';
import { primaryOf } from '../../src/pbft/quorum.js';
import { digest, replicaIndex, sequence, view } from '../../src/pbft/types.js';
import { checkpoint, nullBatch, prepare } from './core-messages.js';

/** A proof that `about` prepared, with PREPAREs of these backups; by default q−1 of n = 4 with primary 0. */
export function certified(about: PrePrepare, backups: readonly number[] = [1, 2]): PreparedCertificate {
  return {
    prePrepare: { ...about, batch: undefined },
    prepares: backups.map((backup) => prepare(backup, about)),
  };
}

/** A stable checkpoint with its proof; by default of q of n = 4. */
export function stableAt(place: number, signers: readonly number[] = [0, 2, 3]): StableCheckpoint {
  if (place === 0) return { sequence: sequence(0), proof: [] };
  const state = digest(`state after ${place}`);
  return { sequence: sequence(place), proof: signers.map((signer) => checkpoint(signer, place, state)) };
}

export interface Told {
  readonly stable?: StableCheckpoint;
  readonly prepared?: readonly PreparedCertificate[];
}

export function viewChange(
  replica: number,
  target: number,
  { stable = stableAt(0), prepared = [] }: Told = {},
): ViewChange {
  return { kind: 'view-change', view: view(target), replica: replicaIndex(replica), stable, prepared };
}

/** The NEW-VIEW that follows from these VIEW-CHANGEs, as the primary of their view makes it. */
export function newViewFrom(viewChanges: readonly ViewChange[], n = 4): NewView {
  const target = viewChanges[0]?.view ?? view(0);
  const replica = primaryOf(target, n);
  const prePrepares = planNewView(viewChanges, nullBatch.digest).order.map(({ sequence: place, digest: ordered }) => {
    const about = { view: target, sequence: place, digest: ordered };
    return { ...about, kind: 'pre-prepare', replica, batch: undefined } as const;
  });
  return { kind: 'new-view', view: target, replica, viewChanges, prePrepares };
}
