import { Checkpoints } from './checkpoints.js';
import { ClientTable } from './client-table.js';
import type { Configuration } from './configuration.js';
import type { Application, Effect, ReplyLeaf } from './effects.js';
import { MessageLog } from './message-log.js';
import type { Batch, NewView, RequestBundle, StableCheckpoint } from './messages.js';
import { Promises } from './promises.js';
import { primaryOf } from './quorum.js';
import { Requests } from './requests.js';
import { Timers } from './timers.js';
import { sequence, view, type Digest, type ReplicaIndex, type SequenceNumber, type View } from './types.js';
import { ViewChanges } from './view-changes.js';

/** A batch's replies under one root. */
export interface ReplyProof {
  readonly root: Digest;
  /** Made when it is asked for: most are never needed. */
  readonly path: (index: number) => Uint8Array;
}

/** What the core needs from outside: pure functions only. */
export interface Environment {
  readonly application: Application;
  /** The batch without requests that a new view orders where nothing can have committed (paper §4.4). */
  readonly nullBatch: Batch;
  /** SHA-256 over the bytes of a batch with this content. */
  digestOfBatch(content: {
    readonly view: View;
    readonly time: number;
    readonly bundles: readonly RequestBundle[];
  }): Digest;
  /** The Merkle root over a batch's replies, and each leaf's path to it: so many hashes of 32 bytes. */
  proveReplies(leaves: readonly ReplyLeaf[]): ReplyProof;
}

/** What others get to see, or the log keeps: none of it is new while the log is read back. */
const outward: ReadonlySet<Effect['kind']> = new Set(['persist', 'broadcast', 'reply', 'reply-again']);

/** The state of one replica, shared by the parts of the protocol that `Replica` dispatches to. */
export class Core {
  readonly log = new MessageLog();
  readonly clients = new ClientTable();
  readonly requests = new Requests(this.clients);

  /** The view that we are in, or, while `isChangingView`, the one that we want. */
  view: View = view(0);
  /** We have sent VIEW-CHANGE for `view` and wait for its NEW-VIEW: nothing of a lower view moves us (rule 18). */
  isChangingView = false;
  readonly viewChanges = new ViewChanges();
  /** The view that we wanted when we restarted: a log that was set back may hide that we, its primary, had begun it. */
  resumedView: View | undefined;
  /** The NEW-VIEW that made the current view, for those who missed it; `undefined` in view 0. */
  newView: NewView | undefined;
  readonly timers = new Timers();
  /** h's proof. */
  stable: StableCheckpoint = { sequence: sequence(0), proof: [] };
  readonly checkpoints = new Checkpoints();
  /** The digests of our own state at the checkpoints from the stable one on. */
  readonly held = new Map<SequenceNumber, Digest>();
  readonly promises = new Promises();
  /** Our own checkpoint digest differs from one that q replicas have: our state is corrupt (rule 26). */
  isCorrupt = false;
  /**
   * Where we have sent a COMMIT that our log cannot prove any more, with its view (rule 28): until a stable checkpoint
   * lies beyond, a VIEW-CHANGE of ours would claim that nothing had prepared there.
   */
  readonly unproven = new Map<SequenceNumber, View>();
  /**
   * Up to here a checkpoint was stable at this identity, and what it had said there is forgotten (rule 28): if the log is
   * lost, it must not vote there a second time.
   */
  settled: SequenceNumber = sequence(0);
  /** The primary of this view contradicted itself over its own signature. */
  isPrimaryFaulty = false;
  lastExecuted: SequenceNumber = sequence(0);
  /** Agreed time of the last executed batch, milliseconds since 1970. */
  lastTime = 0;
  /** The last sequence number that this replica, as primary, has proposed. */
  lastProposed: SequenceNumber = sequence(0);
  /**
   * Up to here the NEW-VIEW of this view alone says what is ordered: the last of O, or the checkpoint below it. 0 in view 0. What it
   * orders beyond our window is not in the log yet, and what lies below that checkpoint never will be.
   */
  orderedUpTo: SequenceNumber = sequence(0);
  /** Ticks for which others have vouched for a checkpoint that is beyond us, and nothing was executed. */
  ticksBehind = 0;
  /** Ticks since the start. */
  ticks = 0;
  /** This machine's clock at the last tick, milliseconds since 1970. */
  now = 0;
  /** While the log is read back nothing is sent, nothing is written, and nothing new is said. */
  isRestoring = true;
  /** Consequences of the step under way. */
  effects: Effect[] = [];

  constructor(
    readonly configuration: Configuration,
    readonly environment: Environment,
  ) {}

  get self(): ReplicaIndex {
    return this.configuration.self;
  }

  get primary(): ReplicaIndex {
    return primaryOf(this.view, this.configuration.n);
  }

  get isPrimary(): boolean {
    return this.primary === this.self;
  }

  /** Whether we take part in agreement just now. */
  get isVoting(): boolean {
    return !this.isRestoring && !this.isChangingView && !this.isCorrupt;
  }

  /** Whether we have lost what we need to say what had prepared here: no VIEW-CHANGE of ours would be true (rule 28). */
  get isAmnesiac(): boolean {
    return this.unproven.size > 0 || this.stable.sequence < this.settled;
  }

  /** Whether we can say truly what has prepared here, as who asks for a view or begins one must. */
  get canChangeView(): boolean {
    return !this.isRestoring && !this.isAmnesiac && !this.isCorrupt;
  }

  /** h: nothing at or below it is taken any more. */
  get lowWaterMark(): SequenceNumber {
    return this.stable.sequence;
  }

  /** H = h + L: nothing above it is taken yet (paper §4.2). */
  get highWaterMark(): SequenceNumber {
    return sequence(this.lowWaterMark + this.configuration.options.logSize);
  }

  emit(effect: Effect): void {
    if (this.isRestoring && outward.has(effect.kind)) return;
    this.effects.push(effect);
  }

  takeEffects(): readonly Effect[] {
    const taken = this.effects;
    this.effects = [];
    return taken;
  }
}
