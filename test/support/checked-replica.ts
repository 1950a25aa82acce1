import { Configuration, type ConfigurationOptions } from '../../src/pbft/configuration.js';
import type { Effect } from '../../src/pbft/effects.js';
import type { Input } from '../../src/pbft/inputs.js';
import type { PhaseMessage, ReplicaMessage, RequestBundle } from '../../src/pbft/messages.js';
import type { RefusalReason } from '../../src/pbft/refusal.js';
import { Replica } from '../../src/pbft/replica.js';
import { replicaIndex } from '../../src/pbft/types.js';
import { clockStart, digestOfBatch, nullBatch, proveReplies } from './core-messages.js';
import { DurableLog } from './durable-log.js';
import { answerIn, EffectChecker, type Answer } from './effect-checker.js';
import { RecordingApplication } from './recording-application.js';

export interface CheckedOptions extends Partial<Omit<ConfigurationOptions, 'self'>> {
  readonly self?: number;
  /** Changes what was computed: for controls that break a rule to show that a test sees it. */
  readonly q?: number;
  readonly application?: () => RecordingApplication;
  /** Whether the first tick has come: nothing is sent before. True when absent. */
  readonly isStarted?: boolean;
}

/** So long that no timer of the core ends in a test that is not about timers. */
const never = 1_000_000;

export function configurationOf({ self = 1, q, ...options }: CheckedOptions): Configuration {
  const configuration = new Configuration({
    n: 4,
    checkpointInterval: 16,
    logSize: 32,
    batchSize: 4,
    instancesInFlightMax: 4,
    resendTicks: 4,
    requestTimeoutTicks: never,
    viewChangeTimeoutTicks: never,
    ...options,
    self: replicaIndex(self),
  });
  return q === undefined ? configuration : Object.assign(configuration, { q });
}

/** One core with everything that it does checked, its log, and its application. Replica 1 of 4 unless told otherwise. */
export class CheckedReplica {
  readonly configuration: Configuration;
  core: Replica;
  application: RecordingApplication;
  readonly log = new DurableLog();
  private readonly checker: EffectChecker;
  private isRestoring = true;
  private now = clockStart;

  constructor(private readonly options: CheckedOptions = {}) {
    this.configuration = configurationOf(options);
    this.checker = new EffectChecker(this.configuration);
    this.application = this.newApplication();
    this.core = this.newCore();
    if (options.isStarted !== false) this.tick();
  }

  step(input: Input): readonly Effect[] {
    const effects = this.take(input);
    if (input.kind === 'state') this.checker.installed(input.sequence);
    for (const effect of effects) this.carryOut(effect);
    return effects;
  }

  /**
   * Steps, but the process dies when it has carried out some of what follows, and comes back.
   * @returns what it carried out, before and after
   */
  stepAndCrash(input: Input, carriedOut: (effects: number) => number): readonly Effect[] {
    const effects = this.take(input);
    const done = effects.slice(0, carriedOut(effects.length));
    for (const effect of done) this.carryOut(effect);
    return [...done, ...this.restart()];
  }

  receive(...messages: readonly ReplicaMessage[]): Effect[] {
    return messages.flatMap((message) => this.step({ kind: 'message', message }));
  }

  submit(...bundles: readonly RequestBundle[]): Effect[] {
    return bundles.flatMap((one) => this.step({ kind: 'request', bundle: one }));
  }

  tick(now = this.now): readonly Effect[] {
    this.now = now;
    return this.step({ kind: 'tick', now, isConnected: true });
  }

  ticks(count: number): Effect[] {
    return Array.from({ length: count }, () => this.tick()).flat();
  }

  /** Begins a new life with what the log and the data folder hold. It says nothing before its first tick. */
  restart({ isTicked = true } = {}): readonly Effect[] {
    this.checker.restarted();
    this.isRestoring = true;
    this.application = this.newApplication();
    this.core = this.newCore();
    const effects = [...this.log.replay(this.configuration)].flatMap((input) => this.step(input));
    return isTicked ? [...effects, ...this.tick()] : effects;
  }

  /** What one can see of its state from outside. */
  get summary() {
    const { core, application } = this;
    return {
      view: core.view,
      lastExecuted: core.lastExecuted,
      lastPrepared: core.lastPrepared,
      highWaterMark: core.highWaterMark,
      state: application.state,
      history: application.history,
    };
  }

  private take(input: Input): readonly Effect[] {
    if (input.kind === 'tick') this.isRestoring = false;
    if (this.isRestoring) this.checker.restored(input);
    return this.core.step(input);
  }

  private carryOut(effect: Effect): void {
    this.checker.observe(effect, this.isRestoring);
    if (effect.kind === 'persist') this.log.write(effect.message, this.configuration.self);
    if (effect.kind === 'stable') this.log.settle(effect.checkpoint.sequence);
  }

  private newApplication(): RecordingApplication {
    return this.options.application?.() ?? new RecordingApplication();
  }

  private newCore(): Replica {
    return new Replica(this.configuration, { application: this.application, nullBatch, digestOfBatch, proveReplies });
  }
}

/** What was sent to all replicas. */
export function sent(effects: readonly Effect[]): ReplicaMessage[] {
  return effects.flatMap((effect) => (effect.kind === 'broadcast' ? effect.message : []));
}

/** The phase messages among what was sent. */
export function votes(effects: readonly Effect[]): PhaseMessage[] {
  return sent(effects).filter(
    (message) => message.kind === 'pre-prepare' || message.kind === 'prepare' || message.kind === 'commit',
  );
}

/** The kinds of what was sent, in order. */
export function sentKinds(effects: readonly Effect[]): string[] {
  return sent(effects).map(({ kind }) => kind);
}

export function refusals(effects: readonly Effect[]): RefusalReason[] {
  return effects.flatMap((effect) => (effect.kind === 'refused' ? effect.reason : []));
}

/** The sequence numbers that were executed. */
export function executed(effects: readonly Effect[]): number[] {
  return effects.flatMap((effect) => (effect.kind === 'executed' ? effect.sequence : []));
}

/** What gateways are told: first what was executed now, then what was before. */
export function replies(effects: readonly Effect[]): Answer[] {
  return effects.flatMap((effect) =>
    effect.kind === 'reply' || effect.kind === 'reply-again' ? answerIn(effect) : [],
  );
}

export function evidence(effects: readonly Effect[]): Extract<Effect, { kind: 'evidence' }>[] {
  return effects.filter((effect) => effect.kind === 'evidence');
}
