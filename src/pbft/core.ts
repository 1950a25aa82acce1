import { ClientTable } from './client-table.js';
import type { Configuration } from './configuration.js';
import type { Application, Effect } from './effects.js';
import { MessageLog } from './message-log.js';
import type { RequestBundle } from './messages.js';
import { primaryOf } from './quorum.js';
import { Requests } from './requests.js';
import { sequence, view, type Digest, type ReplicaIndex, type SequenceNumber, type View } from './types.js';

/** What the core needs from outside: pure functions only. */
export interface Environment {
  readonly application: Application;
  /** SHA-256 over the bytes of a batch with this content. */
  digestOfBatch(content: {
    readonly view: View;
    readonly time: number;
    readonly bundles: readonly RequestBundle[];
  }): Digest;
}

/** The state of one replica, shared by the parts of the protocol that `Replica` dispatches to. */
export class Core {
  readonly log = new MessageLog();
  readonly clients = new ClientTable();
  readonly requests = new Requests(this.clients);

  view: View = view(0);
  lastExecuted: SequenceNumber = sequence(0);
  /** Agreed time of the last executed batch, milliseconds since 1970. */
  lastTime = 0;
  /** The last sequence number that this replica, as primary, has proposed. */
  lastProposed: SequenceNumber = sequence(0);
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

  /** h: nothing at or below it is taken any more. */
  get lowWaterMark(): SequenceNumber {
    return this.lastExecuted;
  }

  /** H = h + L: nothing above it is taken yet (paper §4.2). */
  get highWaterMark(): SequenceNumber {
    return sequence(this.lowWaterMark + this.configuration.options.logSize);
  }

  emit(effect: Effect): void {
    const isOutward = effect.kind === 'persist' || effect.kind === 'broadcast' || effect.kind === 'reply';
    if (this.isRestoring && isOutward) return;
    this.effects.push(effect);
  }

  takeEffects(): readonly Effect[] {
    const taken = this.effects;
    this.effects = [];
    return taken;
  }
}
