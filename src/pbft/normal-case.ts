import { limits } from './configuration.js';
import type { Core } from './core.js';
import { executeReady } from './execution.js';
import type { Batch, Commit, PhaseMessage, Prepare, PrePrepare } from './messages.js';
import type { RefusalReason } from './refusal.js';
import { votesFor, type Slot } from './slot.js';
import { sequence, type SequenceNumber } from './types.js';

/** The three phases (paper §4.2): PRE-PREPARE, PREPARE, COMMIT. */
export function onPhaseMessage(core: Core, message: PhaseMessage): void {
  const reason = screenPhase(core, message) ?? accept(core, message);
  if (reason !== undefined) core.emit({ kind: 'refused', reason, replica: message.replica });
}

/** What can be said of a phase message before its signature is looked at (rule 8). */
export function screenPhase(
  core: Core,
  { kind, view, sequence: place, replica }: Pick<PhaseMessage, 'kind' | 'view' | 'sequence' | 'replica'>,
): RefusalReason | undefined {
  if (view < core.view) return 'old-view';
  if (view > core.view || core.isChangingView) return 'future-view';
  if (kind === 'pre-prepare' && replica !== core.primary) return 'not-primary';
  if (kind === 'prepare' && replica === core.primary) return 'vote-from-primary';
  if (place <= core.lowWaterMark) return 'already-executed';
  if (place > core.highWaterMark) return 'outside-window';
  return undefined;
}

function accept(core: Core, message: PhaseMessage): RefusalReason | undefined {
  const slot = core.log.open(message.sequence);
  switch (message.kind) {
    case 'pre-prepare':
      return acceptPrePrepare(core, slot, message);
    case 'prepare':
      return acceptVote(core, slot, slot.prepares, message);
    case 'commit':
      return acceptVote(core, slot, slot.commits, message);
  }
}

/**
 * A backup accepts a PRE-PREPARE when
 * 1. it is of this view and from its primary, and within the water marks (screened before);
 * 2. no other was accepted for this view and sequence number: a second one is evidence against the primary;
 * 3. its digest is that of the batch that came with it, or that the primary is asked for where the proposal names a bundle which we lack;
 * 4. the batch was first proposed in this view;
 * 5. the batch's time does not go back, nor runs ahead of our clock (rule 11);
 * 6. each bundle is of use, in its client's order, unexpired, and the batch within its limits (rule 10);
 * 7. it does not contradict what we said here before a restart;
 * 8. it lies behind all that the NEW-VIEW of this view orders, and behind the checkpoint that that rests on, whether we have got so far
 *    or not.
 */
function acceptPrePrepare(core: Core, slot: Slot, message: PrePrepare): RefusalReason | undefined {
  const first = slot.proposal;
  if (first !== undefined) {
    if (first.digest === message.digest) return 'duplicate';
    core.emit({ kind: 'evidence', first, second: message });
    core.isPrimaryFaulty = true;
    return 'conflicting-vote';
  }
  if (message.sequence <= core.orderedUpTo) return 'ordered-by-new-view';
  const { batch, sequence: place, digest, replica } = message;
  if (batch === undefined) {
    if (place <= core.lastExecuted) return 'already-executed'; // nobody needs our vote who can have the certificate
    slot.lacking = message;
    core.emit({ kind: 'fetch-batch', sequence: place, digest, from: replica });
    return undefined;
  }
  const reason = judgeProposal(core, message, batch);
  if (reason !== undefined) return reason;
  const kind = replica === core.self ? 'pre-prepare' : 'prepare';
  if (!maySay(core, kind, message)) return 'may-have-voted';
  slot.prePrepare = message;
  slot.keep(batch);
  core.requests.order(batch, place, core.ticks);
  core.emit({ kind: 'persist', message });
  advance(core, slot);
  return undefined;
}

/** The batch of a proposal that named a bundle which we lacked has come: it is judged like any. */
export function onLackingBatch(core: Core, slot: Slot, proposal: PrePrepare, batch: Batch): void {
  slot.lacking = undefined;
  proposal.batch = batch;
  onPhaseMessage(core, proposal);
}

function judgeProposal(
  core: Core,
  { digest, view, sequence: place }: PrePrepare,
  batch: Batch,
): RefusalReason | undefined {
  if (digest !== batch.digest) return 'digest-mismatch';
  if (batch.view !== view) return 'batch-view-mismatch';
  const isTimely = batch.time >= timeBefore(core, place) && Math.abs(batch.time - core.now) <= limits.clockToleranceMs;
  if (!isTimely) return 'time-out-of-bounds';
  return core.requests.judge(batch, place);
}

/** One vote for each (kind, view, sequence, signer): the first counts, another one is evidence (rule 4). */
function acceptVote<V extends Prepare | Commit>(
  core: Core,
  slot: Slot,
  votes: Map<V['replica'], V>,
  vote: V,
): RefusalReason | undefined {
  const first = votes.get(vote.replica);
  if (first !== undefined) {
    if (first.digest === vote.digest) return 'duplicate';
    core.emit({ kind: 'evidence', first, second: vote });
    return 'conflicting-vote';
  }
  votes.set(vote.replica, vote);
  advance(core, slot);
  return undefined;
}

/** The agreed time of what is ordered before `place`, as far as we know it. */
export function timeBefore(core: Core, place: SequenceNumber): number {
  return Math.max(core.lastTime, core.log.get(sequence(place - 1))?.prePrepare?.batch?.time ?? 0);
}

/** Goes as far with a slot as what is in it allows: accepted → PREPARE, prepared → COMMIT, committed-local → execute. */
export function advance(core: Core, slot: Slot): void {
  const { q } = core.configuration;
  const { prePrepare } = slot;
  if (prePrepare?.batch === undefined || slot.isDone || !core.isVoting) return;
  if (prePrepare.replica !== core.self && !slot.prepares.has(core.self)) say(core, slot, prePrepare, 'prepare');
  if (!slot.isPrepared(q)) return;
  if (!slot.commits.has(core.self)) commit(core, slot, prePrepare);
  if (!slot.isCommittedLocal(q)) return;
  for (const message of votesFor(slot.commits, prePrepare.digest)) {
    if (message.replica !== core.self) core.emit({ kind: 'persist', message });
  }
  slot.isDone = true;
  slot.committed ??= prePrepare.batch;
  executeReady(core);
}

/** The prepared certificate is in the log before the COMMIT that rests on it is on the bus (rule 27). */
function commit(core: Core, slot: Slot, prePrepare: PrePrepare): void {
  // What prepared in a later view is what a VIEW-CHANGE must show: a log that was set back may bring us here all the same.
  if (slot.prepared !== undefined && slot.prepared.prePrepare.view > prePrepare.view) return;
  const prepares = votesFor(slot.prepares, prePrepare.digest).slice(0, core.configuration.q - 1);
  slot.prepared = { prePrepare, prepares };
  // The certificate that a lost log could not show any more is there again, or a higher one (rule 28).
  if (prePrepare.view >= (core.unproven.get(slot.sequence) ?? Infinity)) core.unproven.delete(slot.sequence);
  for (const message of prepares) if (message.replica !== core.self) core.emit({ kind: 'persist', message });
  say(core, slot, prePrepare, 'commit');
}

/** Whether a vote of ours contradicts nothing that we said, not even in an earlier life (rule 28). */
function maySay(core: Core, kind: PhaseMessage['kind'], { view, sequence: place, digest }: PrePrepare): boolean {
  return place > core.settled && core.promises.allow(kind, view, place, digest);
}

/**
 * Records our own vote, then has it written and sent: in that order (rule 27). Never one that contradicts another; and a COMMIT shows
 * everybody the vote in which it was pledged, too (rule 6).
 */
function say(core: Core, slot: Slot, about: PrePrepare, kind: 'prepare' | 'commit'): void {
  const pledging = about.replica === core.self ? 'pre-prepare' : 'prepare';
  if (!maySay(core, kind, about) || !maySay(core, pledging, about)) return;
  const { view, sequence: place, digest } = about;
  core.promises.add(kind, view, place, digest);
  const vote = { view, sequence: place, digest, replica: core.self };
  const message: Prepare | Commit = kind === 'prepare' ? { ...vote, kind } : { ...vote, kind };
  if (message.kind === 'prepare') slot.prepares.set(core.self, message);
  else slot.commits.set(core.self, message);
  slot.lastSentTick = core.ticks;
  core.emit({ kind: 'persist', message });
  core.emit({ kind: 'broadcast', message });
}
