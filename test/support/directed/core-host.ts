import type { Configuration } from '../../../src/pbft/configuration.js';
import type { Effect } from '../../../src/pbft/effects.js';
import type { Input } from '../../../src/pbft/inputs.js';
import type { Promised, ReplicaMessage, Request } from '../../../src/pbft/messages.js';
import { Replica } from '../../../src/pbft/replica.js';
import { digest, sequence, type SequenceNumber } from '../../../src/pbft/types.js';
import { digestOfBatch, nullBatch, proveReplies } from '../core-messages.js';
import { EffectChecker } from '../effect-checker.js';
import { RecordingApplication } from '../recording-application.js';
import { HostLog } from './host-log.js';

/** Throws when it is asked to execute a request a second time. */
class OnceApplication extends RecordingApplication {
  private readonly done = new Set<string>();

  override execute(request: Request, context: { readonly sequence: SequenceNumber; readonly time: number }) {
    const name = `${request.client}#${request.timestamp}`;
    if (this.done.has(name)) throw new Error(`${name} is executed twice`);
    this.done.add(name);
    return super.execute(request, context);
  }
}

/**
 * One correct replica with its host: a core, its log in Redis, the promises in its data folder. Everything that it does
 * is checked, over all its lives.
 */
export class CoreHost {
  replica: Replica;
  log = new HostLog();
  isUp = true;
  lives = 1;
  private application = new OnceApplication();
  private readonly promises = new Map<string, Promised>();
  private settled: SequenceNumber = sequence(0);
  private readonly checker: EffectChecker;
  private isRestoring = true;

  constructor(readonly configuration: Configuration) {
    this.checker = new EffectChecker(configuration);
    this.replica = this.newReplica();
  }

  get index(): number {
    return this.configuration.self;
  }

  get history(): readonly string[] {
    return this.application.history;
  }

  /** Steps the core and carries out what follows, in the host's order: promises, log, and what the caller sends. */
  step(input: Input): readonly Effect[] {
    if (input.kind === 'tick') this.isRestoring = false;
    const effects = this.replica.step(input);
    this.keepPromises(effects);
    for (const effect of effects) this.checker.observe(effect, this.isRestoring);
    this.writeLog(effects);
    return effects;
  }

  /** A new process reads the log back (`src/replica/restore.ts`). It says nothing before its first tick. */
  restart(): readonly Effect[] {
    this.isUp = true;
    this.lives++;
    this.isRestoring = true;
    this.checker.restarted();
    this.application = new OnceApplication();
    this.replica = this.newReplica();
    return [...this.readBack()].flat();
  }

  private *readBack(): Generator<readonly Effect[]> {
    const { log, replica } = this;
    for (;;) {
      const certificate = log.certificateAt(replica.lastExecuted + 1, this.configuration.q);
      if (certificate === undefined) break;
      yield this.step({ kind: 'certificate', certificate });
    }
    for (const message of log.viewMessages('checkpoint')) yield this.step({ kind: 'restore-view', message });
    yield this.step({ kind: 'settled', sequence: this.settled });
    for (const promise of this.promises.values()) yield this.step({ kind: 'promise', promise });
    for (const kind of ['view-change', 'new-view'] as const) {
      for (const message of log.viewMessages(kind)) yield this.step({ kind: 'restore-view', message });
    }
    for (let place = replica.stable.sequence + 1; place <= replica.highWaterMark; place++) {
      const messages = log.votesAt(place);
      if (messages.length > 0) yield this.step({ kind: 'restore', messages });
    }
  }

  private keepPromises(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'stable') this.forgetPromises(effect.checkpoint.sequence);
      if (effect.kind !== 'persist') continue;
      const { message } = effect;
      if (message.kind === 'certificate' || message.replica !== this.configuration.self) continue;
      const promise = promiseIn(message);
      if (promise === undefined) continue;
      const name =
        promise.kind === 'view-change' ? promise.kind : `${promise.kind}/${promise.view}/${promise.sequence}`;
      this.promises.set(name, promise);
    }
  }

  private forgetPromises(upTo: SequenceNumber): void {
    if (upTo > this.settled) this.settled = upTo;
    for (const [name, promise] of this.promises) {
      if (promise.kind !== 'view-change' && promise.sequence <= upTo) this.promises.delete(name);
    }
  }

  private writeLog(effects: readonly Effect[]): void {
    for (const effect of effects) if (effect.kind === 'persist') this.log.write(effect.message);
  }

  private newReplica(): Replica {
    const { application, configuration } = this;
    return new Replica(configuration, { application, nullBatch, digestOfBatch, proveReplies });
  }
}

const noDigest = digest('');

function promiseIn(message: ReplicaMessage): Promised | undefined {
  switch (message.kind) {
    case 'pre-prepare':
    case 'prepare':
    case 'commit': {
      const { kind, view, sequence: place, digest: said } = message;
      return { kind, view, sequence: place, digest: said };
    }
    case 'view-change':
      return { kind: 'view-change', view: message.view, sequence: sequence(0), digest: noDigest };
    default:
      return undefined;
  }
}
