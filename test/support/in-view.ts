import type { NewView, ViewChange } from '../../src/pbft/messages.js';
import { primaryOf } from '../../src/pbft/quorum.js';
import { replicaIndex, sequence, view } from '../../src/pbft/types.js';
import { CheckedReplica, type CheckedOptions } from './checked-replica.js';

/** A VIEW-CHANGE of a replica that has nothing to carry over. */
export function emptyViewChange(replica: number, target: number): ViewChange {
  const stable = { sequence: sequence(0), proof: [] };
  return { kind: 'view-change', view: view(target), replica: replicaIndex(replica), stable, prepared: [] };
}

/** A NEW-VIEW that orders nothing, as `quorum` replicas want it. */
export function emptyNewView(target: number, n: number, quorum: readonly number[]): NewView {
  return {
    kind: 'new-view',
    view: view(target),
    replica: primaryOf(view(target), n),
    viewChanges: quorum.map((replica) => emptyViewChange(replica, target)),
    prePrepares: [],
  };
}

/** A replica of four that has entered a view, before anything was ordered. It is a backup there. */
export function inView(target: number, options: CheckedOptions): CheckedReplica {
  const replica = new CheckedReplica(options);
  replica.receive(emptyNewView(target, 4, [0, 1, 3]));
  if (replica.core.view !== target) throw new Error(`did not enter view ${target}`);
  return replica;
}
