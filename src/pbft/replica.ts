import { limits, type Configuration } from './configuration.js';
import { Core, type Environment } from './core.js';
import type { Effect } from './effects.js';
import { onCertificate, reply } from './execution.js';
import type { Input } from './inputs.js';
import { invariant } from './invariant.js';
import type { PhaseMessage, Promised, RequestBundle } from './messages.js';
import { advance, onPhaseMessage, screenPhase } from './normal-case.js';
import { propose } from './proposing.js';
import type { RefusalReason } from './refusal.js';
import { resendStalled } from './resending.js';
import { sequence, type ReplicaIndex, type SequenceNumber, type View } from './types.js';

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
        onPhaseMessage(core, input.message);
        break;
      case 'request':
        this.onRequest(input.bundle);
        break;
      case 'certificate':
        onCertificate(core, input.certificate);
        break;
      case 'restore':
        this.onRestore(input.message);
        break;
      case 'promise':
        this.onPromise(input.promise);
        break;
      case 'tick':
        this.onTick(input.now);
        break;
    }
    if (!core.isRestoring) propose(core);
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
    if (slot.committed !== undefined) return 'duplicate';
    const first =
      header.kind === 'pre-prepare'
        ? slot.prePrepare
        : (header.kind === 'prepare' ? slot.prepares : slot.commits).get(header.replica);
    return first?.digest === header.digest ? 'duplicate' : undefined;
  }

  get view(): View {
    return this.core.view;
  }

  get primary(): ReplicaIndex {
    return this.core.primary;
  }

  get lastExecuted(): SequenceNumber {
    return this.core.lastExecuted;
  }

  /**
   * The highest sequence number for which this replica has sent a COMMIT. Whatever a client was told is at or below
   * this at f+1 correct replicas at least: what a read must not be older than.
   */
  get lastPrepared(): SequenceNumber {
    let last = this.core.lastExecuted;
    for (const slot of this.core.log.values()) {
      if (slot.sequence > last && slot.commits.has(this.core.self)) last = slot.sequence;
    }
    return last;
  }

  get highWaterMark(): SequenceNumber {
    return this.core.highWaterMark;
  }

  /** Whether the batch at `place` is known to be committed, executed or not. */
  isCommitted(place: SequenceNumber): boolean {
    return place <= this.core.lastExecuted || this.core.log.get(place)?.committed !== undefined;
  }

  /** A repeated request is answered from the cache and neither ordered nor executed again (rule 12). */
  private onRequest(bundle: RequestBundle): void {
    const { core } = this;
    const cached = bundle.requests.flatMap((request) => core.clients.cached(request) ?? []);
    reply(core, bundle.gateway, cached);
    const isFresh = bundle.requests.some((request) => core.clients.standing(request) === 'fresh');
    const reason = isFresh ? core.requests.admit(bundle) : cached.length === 0 ? 'stale-request' : undefined;
    if (reason !== undefined) core.emit({ kind: 'refused', reason });
  }

  /** A message of the log that was written before our restart: it says what it said then, and binds us if it is ours. */
  private onRestore(message: PhaseMessage): void {
    const { core } = this;
    invariant(core.isRestoring, 'a message is restored after the start');
    if (message.replica === core.self) this.onPromise(message);
    onPhaseMessage(core, message);
  }

  private onPromise(promise: Promised): void {
    const { core } = this;
    invariant(core.isRestoring, 'a promise is restored after the start');
    if (promise.view !== core.view || promise.sequence <= core.lastExecuted) return;
    if (promise.sequence > core.highWaterMark) return;
    const { promises } = core.log.open(core.view, promise.sequence);
    if (!promises.has(promise.kind)) promises.set(promise.kind, promise.digest);
    if (promise.kind === 'pre-prepare') core.lastProposed = sequence(Math.max(core.lastProposed, promise.sequence));
  }

  private onTick(now: number): void {
    const { core } = this;
    core.now = Math.max(core.now, now);
    core.ticks++;
    if (core.isRestoring) {
      core.isRestoring = false;
      core.lastProposed = sequence(Math.max(core.lastProposed, core.lastExecuted));
      for (const slot of [...core.log.values()]) advance(core, slot);
    }
    resendStalled(core);
  }

  private checkInvariants(): void {
    const { core } = this;
    const { logSize } = core.configuration.options;
    invariant(core.log.size <= logSize, `${core.log.size} slots are open, the log holds ${logSize}`);
    invariant(core.requests.waitingCount <= limits.waitingBundlesMax, 'more bundles wait than may');
    invariant(core.log.get(core.lastExecuted) === undefined, 'an executed slot is still open');
  }
}
