import { onCheckpoint, resendCheckpoint } from './checkpointing.js';
import type { Configuration } from './configuration.js';
import { Core, type Environment } from './core.js';
import type { Effect } from './effects.js';
import { answerOvertaken, cachedOf, onCertificate, replyAgain } from './execution.js';
import type { Input } from './inputs.js';
import { invariant } from './invariant.js';
import type {
  Batch,
  CommittedCertificate,
  NewView,
  PhaseMessage,
  PreparedCertificate,
  ReplicaMessage,
  RequestBundle,
  StableCheckpoint,
} from './messages.js';
import { onPhaseMessage, screenPhase } from './normal-case.js';
import { propose } from './proposing.js';
import type { RefusalReason } from './refusal.js';
import { resendStalled } from './resending.js';
import { onState, seekState, wantsState } from './state-transfer.js';
import { endRestoring, restorePromise, restoreSettled, restoreSlot, restoreView } from './restoring.js';
import { votesFor } from './slot.js';
import { tickTimers } from './suspicion.js';
import { sequence, view, type ReplicaIndex, type SequenceNumber, type View, type Digest } from './types.js';
import { fetchMissing, mayTellNewView, onBatch, onNewView, onViewChange, startViewChange } from './view-change.js';

/**
 * One replica of the protocol: a deterministic state machine. One input in; every consequence out, in the order in
 * which the host must carry them out. It knows no clock, no randomness, no I/O and no cryptography.
 */
export class Replica {
  private readonly core: Core;

  constructor(configuration: Configuration, environment: Environment) {
    this.core = new Core(configuration, environment);
  }

  /** Takes one verified input and returns what follows from it. Refuses; never throws for what a peer said. */
  step(input: Input): readonly Effect[] {
    const { core } = this;
    switch (input.kind) {
      case 'message':
        this.onMessage(input.message);
        break;
      case 'request':
        this.onRequest(input.bundle);
        break;
      case 'certificate':
        onCertificate(core, input.certificate);
        break;
      case 'state':
        onState(core, input);
        break;
      case 'batch':
        onBatch(core, input.sequence, input.batch);
        break;
      case 'restore':
        restoreSlot(core, input.messages);
        break;
      case 'restore-view':
        restoreView(core, input.message);
        break;
      case 'promise':
        restorePromise(core, input.promise);
        break;
      case 'settled':
        restoreSettled(core, input.sequence);
        break;
      case 'tick':
        this.onTick(input.now, input.isConnected);
        break;
    }
    propose(core);
    this.checkInvariants();
    return core.takeEffects();
  }

  /**
   * Whether a phase message is worth verifying, by what its sender claims (rule 8): cheap, changes nothing, and says
   * the reason when not.
   */
  screen(header: Pick<PhaseMessage, 'kind' | 'view' | 'sequence' | 'replica' | 'digest'>): RefusalReason | undefined {
    const { core } = this;
    const reason = screenPhase(core, header);
    if (reason !== undefined) return reason;
    const slot = core.log.get(header.sequence);
    if (slot === undefined) return undefined;
    if (slot.isDone) return 'already-executed';
    // It prepared without this vote; one for another digest is evidence, and worth its price.
    const isPrepared = slot.prepared?.prePrepare.view === core.view && slot.commits.has(core.self);
    if (isPrepared && header.kind === 'prepare' && slot.prePrepare?.digest === header.digest) return 'not-needed';
    const first =
      header.kind === 'pre-prepare'
        ? slot.proposal
        : (header.kind === 'prepare' ? slot.prepares : slot.commits).get(header.replica);
    return first?.digest === header.digest ? 'duplicate' : undefined;
  }

  /** Whether a VIEW-CHANGE or NEW-VIEW for this view is worth verifying. */
  screenView(kind: 'view-change' | 'new-view', asked: View, replica: ReplicaIndex): RefusalReason | undefined {
    const { core } = this;
    if (asked < core.view) return 'old-view';
    if (kind === 'new-view') return asked === core.view && !core.isChangingView ? 'old-view' : undefined;
    // Somebody lacks the NEW-VIEW of the view that stands: its primary tells it again, for which it verifies one now and then.
    if (asked === core.view && !core.isChangingView) return mayTellNewView(core) ? undefined : 'old-view';
    const known = core.viewChanges.of(replica);
    return known !== undefined && known.view >= asked ? 'duplicate' : undefined;
  }

  /** Whether a CHECKPOINT is worth verifying. */
  screenCheckpoint(place: SequenceNumber, replica: ReplicaIndex): RefusalReason | undefined {
    if (place <= this.core.stable.sequence) return 'already-executed';
    return this.core.checkpoints.of(replica, place) === undefined ? undefined : 'duplicate';
  }

  /** The view that this replica is in, or wants. */
  get view(): View {
    return this.core.view;
  }

  get isChangingView(): boolean {
    return this.core.isChangingView;
  }

  /** What made the view that this replica is in; `undefined` in view 0 and in a view change. */
  get newView(): NewView | undefined {
    return this.core.newView;
  }

  get isCorrupt(): boolean {
    return this.core.isCorrupt;
  }

  get primary(): ReplicaIndex {
    return this.core.primary;
  }

  get lastExecuted(): SequenceNumber {
    return this.core.lastExecuted;
  }

  /** h, and its proof. */
  get stable(): StableCheckpoint {
    return this.core.stable;
  }

  /** Whether the log has lost what this replica had promised, so that it cannot take part in a view change (rule 28). */
  get isAmnesiac(): boolean {
    return this.core.isAmnesiac;
  }

  /** Whether the state after this checkpoint would take this replica further, and f+1 others vouch for it. */
  wantsState(place: SequenceNumber, digest: Digest): boolean {
    return wantsState(this.core, place, digest);
  }

  /** The proof that the batch at `place` is committed, as long as the memory holds it. */
  certificateOf(place: SequenceNumber): CommittedCertificate | undefined {
    const slot = this.core.log.get(place);
    if (slot?.committed === undefined) return undefined;
    const { q } = this.core.configuration;
    const commits = votesFor(slot.commits, slot.committed.digest).slice(0, q);
    return commits.length < q ? slot.certificate : { kind: 'certificate', batch: slot.committed, commits };
  }

  /** What proves that a batch prepared at `place`, in the highest view in which one did. */
  preparedAt(place: SequenceNumber): PreparedCertificate | undefined {
    return this.core.log.get(place)?.prepared;
  }

  /** Whether the view orders the batch with this digest at `place`, or its primary has proposed it there, and we lack it. */
  wantsBatch(place: SequenceNumber, digest: Digest): boolean {
    const proposal = this.core.log.get(place)?.proposal;
    return proposal?.digest === digest && proposal.batch === undefined;
  }

  /** The batch with this digest at `place`, while it is needed for agreement. */
  batchOf(place: SequenceNumber, digest: Digest): Batch | undefined {
    return this.core.log.get(place)?.batchOf(digest);
  }

  /** The sequence numbers that are in memory, ascending. */
  get openPlaces(): readonly SequenceNumber[] {
    return [...this.core.log.values()].map((slot) => slot.sequence).sort((a, b) => a - b);
  }

  /** What the log should hold of a sequence number, as far as the memory does: a log that was lost is written anew from it. */
  loggedAt(place: SequenceNumber): readonly PhaseMessage[] {
    return this.core.log.get(place)?.logged ?? [];
  }

  /** The same of checkpoints and views. */
  get loggedViews(): readonly ReplicaMessage[] {
    const { stable, newView, viewChanges, self, isChangingView } = this.core;
    const asked = isChangingView ? viewChanges.of(self) : undefined;
    return [...stable.proof, ...(newView === undefined ? [] : [newView]), ...(asked === undefined ? [] : [asked])];
  }

  /** H. */
  get highWaterMark(): SequenceNumber {
    return this.core.highWaterMark;
  }

  /**
   * The highest sequence number for which this replica has sent a COMMIT. Whatever a client was told is at or below
   * this at f+1 correct replicas at least: what a read must not be older than.
   */
  get lastPrepared(): SequenceNumber {
    let last = sequence(Math.max(this.core.lastExecuted, this.core.settled));
    for (const slot of this.core.log.values()) {
      if (slot.sequence > last && slot.prepared !== undefined) last = slot.sequence;
    }
    // What a lost log can no longer show was prepared all the same.
    for (const place of this.core.unproven.keys()) if (place > last) last = place;
    return last;
  }

  /** Whether the batch at `place` is known to be committed, executed or not. */
  isCommitted(place: SequenceNumber): boolean {
    return place <= this.core.lastExecuted || this.core.log.get(place)?.committed !== undefined;
  }

  private onMessage(message: ReplicaMessage): void {
    const { core } = this;
    switch (message.kind) {
      case 'pre-prepare':
      case 'prepare':
      case 'commit':
        onPhaseMessage(core, message);
        if (core.isPrimaryFaulty) startViewChange(core, view(core.view + 1)); // proof needs no time-out (rule 15)
        break;
      case 'checkpoint':
        onCheckpoint(core, message);
        break;
      case 'view-change':
        onViewChange(core, message);
        break;
      case 'new-view':
        onNewView(core, message);
        break;
    }
  }

  /** A repeated request is answered from the cache and neither ordered nor executed again (rule 12). */
  private onRequest(bundle: RequestBundle): void {
    const { core } = this;
    const cached = cachedOf(core, bundle.requests);
    replyAgain(core, bundle.gateway, cached);
    const isFresh = bundle.requests.some((request) => core.clients.standing(request) === 'fresh');
    const reason = isFresh
      ? core.requests.admit(bundle, core.ticks, core.lastExecuted)
      : cached.length === 0
        ? 'stale-request'
        : undefined;
    if (reason !== undefined) core.emit({ kind: 'refused', reason });
  }

  /** The first tick ends the restoring: from then on this replica speaks. */
  private onTick(now: number, isConnected: boolean): void {
    const { core } = this;
    core.now = now; // it may be set right: who never went back would refuse everything until then
    core.ticks++;
    if (core.isRestoring) endRestoring(core);
    if (!isConnected) return;
    tickTimers(core);
    answerOvertaken(core);
    resendStalled(core);
    seekState(core);
    if (core.ticks % core.configuration.options.resendTicks !== 0) return;
    resendCheckpoint(core);
    fetchMissing(core);
  }

  private checkInvariants(): void {
    const { core } = this;
    const { logSize } = core.configuration.options;
    // Between the water marks, and as much again before and behind where we are in executing what was missed.
    invariant(core.log.size <= 3 * logSize + 1, `${core.log.size} slots are open, the log holds ${logSize}`);
    invariant(core.lastExecuted >= core.stable.sequence, 'a checkpoint is stable here that was not executed');
    invariant(core.requests.waitingCount >= 0, 'fewer than no bundle waits');
  }
}
