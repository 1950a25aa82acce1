import type { NewView, ReplicaMessage, ViewChange } from '../../../src/pbft/messages.js';
import type { Scenario } from '../../support/directed/scenario.js';

/** @throws with `what` must be, unless it is */
export function must(what: string, isSo: boolean): void {
  if (!isSo) throw new Error(`${what}: it is not so`);
}

/** Whether this is a vote of this kind in this view, sent again or not. */
export function isVote(message: ReplicaMessage | undefined, view: number, ...kinds: readonly string[]): boolean {
  return message !== undefined && kinds.includes(message.kind) && 'view' in message && message.view === view;
}

/** A Byzantine replica says these things to these others. */
export function tell(cluster: Scenario, to: readonly number[], ...messages: readonly ReplicaMessage[]): void {
  for (const message of messages) for (const one of to) cluster.send(one, message);
}

/** The VIEW-CHANGE for a view that a correct replica has sent. Waits for it. */
export function viewChangeOf(cluster: Scenario, replica: number, view: number): ViewChange {
  const find = () => cluster.saidOf('view-change', replica).find((message) => message.view === view);
  cluster.until(`${replica} asks for view ${view}`, () => find() !== undefined);
  return find()!;
}

export function newViewOf(cluster: Scenario, view: number): NewView {
  const find = () => cluster.saidOf('new-view').find((message) => message.view === view);
  cluster.until(`view ${view} begins`, () => find() !== undefined);
  return find()!;
}
