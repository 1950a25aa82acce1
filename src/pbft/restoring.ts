import { isPreparedProven, isSoundNewView, isSoundViewChange } from './certificates.js';
import { moveLowWaterMark } from './checkpointing.js';
import type { Core } from './core.js';
import { executeReady } from './execution.js';
import { invariant } from './invariant.js';
import type { Checkpoint, NewView, PhaseMessage, Prepare, PrePrepare, Promised, ViewChange } from './messages.js';
import { advance } from './normal-case.js';
import { votesFor, type Slot } from './slot.js';
import { sequence, type SequenceNumber, type View } from './types.js';
import { lastOrdered } from './view-change.js';

/**
 * Reading back what this replica knew and said before a restart. It is told in this order: committed batches (executed
 * as they come), checkpoints, promises, its last VIEW-CHANGE and NEW-VIEW, then the slots above the stable checkpoint. Nothing goes out, and
 * nothing new is said, until the first tick.
 */

/** What this identity has said, as its data folder remembers it. */
export function restorePromise(core: Core, { kind, view, sequence: place, digest }: Promised): void {
  invariant(core.isRestoring, 'a promise is restored after the start');
  if (kind === 'view-change') {
    // Nothing of a lower view moves us any more (rule 18), even if the log in Redis was rolled back to before.
    if (view > core.view) wantView(core, view);
    return;
  }
  if (place <= Math.max(core.stable.sequence, core.settled)) return; // nothing is said there any more
  // Until the log shows what had prepared.
  if (kind === 'commit' && view >= (core.unproven.get(place) ?? 0)) core.unproven.set(place, view);
  core.promises.add(kind, view, place, digest);
}

/** Up to where its promises were forgotten, since a checkpoint was stable. */
export function restoreSettled(core: Core, place: SequenceNumber): void {
  invariant(core.isRestoring, 'a checkpoint is settled after the start');
  if (place > core.settled) core.settled = place;
}

export function restoreView(core: Core, message: Checkpoint | ViewChange | NewView): void {
  invariant(core.isRestoring, 'a view is restored after the start');
  switch (message.kind) {
    case 'checkpoint':
      restoreCheckpoint(core, message);
      break;
    case 'new-view':
      restoreNewView(core, message);
      break;
    case 'view-change':
      if (message.replica !== core.self || message.view < core.view) return;
      if (!isSoundViewChange(message, core.configuration)) return;
      core.viewChanges.add(message);
      wantView(core, message.view);
      break;
  }
}

function restoreCheckpoint(core: Core, message: Checkpoint): void {
  if (message.replica === core.self) {
    // What our state is, executing the log has just shown; but what we said of it once is our only word.
    if (message.sequence > core.stable.sequence) core.checkpoints.replace(message);
    return;
  }
  if (message.sequence > core.lastExecuted) return;
  core.checkpoints.add(message);
  moveLowWaterMark(core, message.sequence);
}

function restoreNewView(core: Core, message: NewView): void {
  if (message.view < core.view || (message.view === core.view && !core.isChangingView)) return;
  if (!isSoundNewView(message, core.configuration, core.environment.nullBatch.digest)) return;
  core.view = message.view;
  core.isChangingView = false;
  core.newView = message;
  core.orderedUpTo = lastOrdered(core, message);
  core.lastProposed = core.orderedUpTo;
}

/** We asked for a view and have not entered it: the view change goes on (rule 21). */
function wantView(core: Core, view: View): void {
  core.view = view;
  core.isChangingView = true;
  core.newView = undefined;
}

/** The log is read: where a primary goes on in its view, behind everything that it has ever proposed in it. */
export function endRestoring(core: Core): void {
  core.isRestoring = false;
  core.resumedView = core.isChangingView ? core.view : undefined;
  const proposed = core.promises.last('pre-prepare', core.view);
  core.lastProposed = sequence(Math.max(core.lastProposed, core.lastExecuted, proposed));
  for (const slot of [...core.log.values()]) advance(core, slot);
}

/** What the log holds of one sequence number: certificates of earlier views, and the votes of this one. */
export function restoreSlot(core: Core, messages: readonly PhaseMessage[]): void {
  invariant(core.isRestoring, 'a slot is restored after the start');
  const place = messages[0]?.sequence;
  if (place === undefined || place <= core.lowWaterMark || place > core.highWaterMark) return;
  const slot = core.log.open(place);
  for (const message of messages) {
    if (message.replica === core.self) core.promises.add(message.kind, message.view, place, message.digest);
    if (message.kind !== 'pre-prepare') continue;
    message.batch ??= slot.batchOf(message.digest);
    if (message.batch !== undefined) slot.keep(message.batch);
  }
  slot.prepared = bestCertificate(core, messages, slot.prepared);
  const { prepared } = slot;
  if (!core.isChangingView) restoreVotes(core, slot, messages);
  const promisedIn = core.unproven.get(place);
  if (prepared && promisedIn !== undefined && prepared.prePrepare.view >= promisedIn) core.unproven.delete(place);
  executeReady(core);
}

/** The certificate of the highest view that the messages make, or what is known already. */
function bestCertificate(core: Core, messages: readonly PhaseMessage[], known: Slot['prepared']): Slot['prepared'] {
  const prePrepares = messages.filter((message): message is PrePrepare => message.kind === 'pre-prepare');
  const prepares = messages.filter((message): message is Prepare => message.kind === 'prepare');
  const certificates = prePrepares.map((prePrepare) => {
    const votes = new Map(prepares.filter((vote) => vote.view === prePrepare.view).map((vote) => [vote.replica, vote]));
    const matching = votesFor(votes, prePrepare.digest).slice(0, core.configuration.q - 1);
    return { prePrepare, prepares: matching };
  });
  return [...(known === undefined ? [] : [known]), ...certificates]
    .filter((certificate) => isPreparedProven(certificate, core.configuration))
    .sort((a, b) => b.prePrepare.view - a.prePrepare.view)[0];
}

/**
 * Whether a proposal that the log holds was found right when it came: we have voted for it, or it has prepared. Whoever runs Redis
 * can put another one there that its primary has signed; that one is judged like any other, when it is heard again (rule 30).
 */
function isVouched(core: Core, { sequence: place, prepared }: Slot, { view: said, digest }: PrePrepare): boolean {
  const hasPrepared = prepared?.prePrepare.view === said && prepared.prePrepare.digest === digest;
  return hasPrepared || core.promises.vouchesFor(said, place, digest);
}

function restoreVotes(core: Core, slot: Slot, messages: readonly PhaseMessage[]): void {
  for (const message of messages) {
    if (message.view !== core.view) continue;
    const isPrimarys = message.replica === core.primary;
    if (message.kind === 'commit') slot.commits.set(message.replica, message);
    else if (message.kind === 'prepare' && !isPrimarys) slot.prepares.set(message.replica, message);
    else if (message.kind === 'pre-prepare' && isPrimarys && isVouched(core, slot, message))
      slot.prePrepare ??= message;
  }
  const { prePrepare } = slot;
  if (prePrepare === undefined) return;
  const { nullBatch } = core.environment;
  prePrepare.batch ??= prePrepare.digest === nullBatch.digest ? nullBatch : slot.batchOf(prePrepare.digest);
  if (prePrepare.batch !== undefined && slot.sequence > core.lastExecuted) {
    core.requests.order(prePrepare.batch, slot.sequence, core.ticks);
  }
}
