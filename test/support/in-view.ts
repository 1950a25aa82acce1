import { CheckedReplica, type CheckedOptions } from './checked-replica.js';
import { proposal } from './core-messages.js';
import { newViewFrom, viewChange } from './view-messages.js';

/** The view that a replica asks for or is in, as `wants 2` or `in 2`. */
export const whereabouts = ({ core }: CheckedReplica): string => `${core.isChangingView ? 'wants' : 'in'} ${core.view}`;

/** A replica of four that has entered a view, before anything was ordered. It is a backup there. */
export function inView(target: number, options: CheckedOptions): CheckedReplica {
  const replica = new CheckedReplica(options);
  replica.receive(newViewFrom([0, 1, 3].map((other) => viewChange(other, target))));
  if (whereabouts(replica) !== `in ${target}`) throw new Error(`did not enter view ${target}`);
  return replica;
}

/** Replica 2 of four, which has asked for view 1, since it has evidence against the primary of view 0. */
export function wantingView1(options: CheckedOptions = {}): CheckedReplica {
  const replica = new CheckedReplica({ self: 2, ...options });
  replica.receive(proposal(3), proposal(3, 'other'));
  if (whereabouts(replica) !== 'wants 1') throw new Error('does not ask for view 1');
  return replica;
}
