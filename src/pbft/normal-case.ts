import { limits } from './configuration.js';
import type { Core } from './core.js';
import { executeReady } from './execution.js';
import type { Commit, PhaseMessage, Prepare, PrePrepare } from './messages.js';
import type { RefusalReason } from './refusal.js';
import { votesFor, type Slot } from './slot.js';
import { sequence } from './types.js';

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
  if (view > core.view) return 'future-view';
  if (kind === 'pre-prepare' && replica !== core.primary) return 'not-primary';
  if (kind === 'prepare' && replica === core.primary) return 'vote-from-primary';
  if (place <= core.lowWaterMark) return 'already-executed';
  if (place > core.highWaterMark) return 'outside-window';
  return undefined;
}

function accept(core: Core, message: PhaseMessage): RefusalReason | undefined {
  const slot = core.log.open(core.view, message.sequence);
  if (slot.committed !== undefined) return 'duplicate';
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
 * 3. its digest is that of the batch that came with it;
 * 4. the batch was first proposed in this view;
 * 5. the batch's time does not go back, nor runs ahead of our clock (rule 11);
 * 6. each bundle is of use, in its client's order, unexpired, and the batch within its limits (rule 10);
 * 7. it does not contradict what we said here before a restart.
 */
function acceptPrePrepare(core: Core, slot: Slot, message: PrePrepare): RefusalReason | undefined {
  const { prePrepare } = slot;
  if (prePrepare !== undefined) {
    if (prePrepare.digest === message.digest) return 'duplicate';
    core.emit({ kind: 'evidence', first: prePrepare, second: message });
    return 'conflicting-vote';
  }
  const reason = judgeProposal(core, message);
  if (reason !== undefined) return reason;
  if (!mayStillSay(slot, message.replica === core.self ? 'pre-prepare' : 'prepare', message)) return 'may-have-voted';
  slot.prePrepare = message;
  core.requests.order(message.batch, message.sequence);
  core.emit({ kind: 'persist', message });
  advance(core, slot);
  return undefined;
}

function judgeProposal(core: Core, { digest, batch, view, sequence: place }: PrePrepare): RefusalReason | undefined {
  if (digest !== batch.digest) return 'digest-mismatch';
  if (batch.view !== view) return 'batch-view-mismatch';
  const before = core.log.get(sequence(place - 1))?.prePrepare?.batch.time ?? core.lastTime;
  const isTimely = batch.time >= before && batch.time <= core.now + limits.clockToleranceMs;
  if (!isTimely && !core.isRestoring) return 'time-out-of-bounds';
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

/** Goes as far with a slot as what is in it allows: accepted → PREPARE, prepared → COMMIT, committed-local → execute. */
export function advance(core: Core, slot: Slot): void {
  const { q } = core.configuration;
  const { prePrepare } = slot;
  if (slot.committed !== undefined || prePrepare === undefined) return;
  const isBackup = prePrepare.replica !== core.self;
  if (isBackup && !slot.prepares.has(core.self) && mayStillSay(slot, 'prepare', prePrepare)) {
    say(core, slot, { ...voteOn(core, prePrepare), kind: 'prepare' });
  }
  if (!slot.isPrepared(q)) return;
  if (!slot.commits.has(core.self) && mayStillSay(slot, 'commit', prePrepare)) {
    // The prepared certificate is in the log before the COMMIT that rests on it is on the bus.
    for (const message of votesFor(slot.prepares, prePrepare.digest)) {
      if (message.replica !== core.self) core.emit({ kind: 'persist', message });
    }
    say(core, slot, { ...voteOn(core, prePrepare), kind: 'commit' });
  }
  if (!slot.isCommittedLocal(q)) return;
  for (const message of votesFor(slot.commits, prePrepare.digest)) {
    if (message.replica !== core.self) core.emit({ kind: 'persist', message });
  }
  slot.committed = prePrepare.batch;
  executeReady(core);
}

/** Our own vote for the PRE-PREPARE's digest. */
function voteOn(core: Core, { view, sequence: place, digest }: PrePrepare): Omit<Prepare, 'kind'> {
  return { view, sequence: place, digest, replica: core.self };
}

/** Whether a vote of ours for this digest contradicts nothing that we said before a restart. */
function mayStillSay(slot: Slot, kind: PhaseMessage['kind'], { digest }: PrePrepare): boolean {
  const promised = slot.promises.get(kind);
  return promised === undefined || promised === digest;
}

/** Records our own vote, then has it written and sent: in that order (rule 27). */
function say(core: Core, slot: Slot, vote: Prepare | Commit): void {
  if (core.isRestoring) return; // what was said is in the log; what was not is said after it is read
  if (vote.kind === 'prepare') slot.prepares.set(core.self, vote);
  else slot.commits.set(core.self, vote);
  slot.promises.set(vote.kind, vote.digest);
  slot.lastSentTick = core.ticks;
  core.emit({ kind: 'persist', message: vote });
  core.emit({ kind: 'broadcast', message: vote });
}
