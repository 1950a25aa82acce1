import { Configuration, type ConfigurationOptions } from '../../../src/pbft/configuration.js';
import type { Effect } from '../../../src/pbft/effects.js';
import type { Input } from '../../../src/pbft/inputs.js';
import type { ReplicaMessage, RequestBundle } from '../../../src/pbft/messages.js';
import type { Replica } from '../../../src/pbft/replica.js';
import { replicaIndex } from '../../../src/pbft/types.js';
import { clockStart } from '../core-messages.js';
import { CoreHost } from './core-host.js';
import { momentsPerTick, Schedule } from './schedule.js';
import { Witness } from './witness.js';

/** Ticks between two looks at how far the others are. */
const statusTicks = 5;
/** Certificates that a peer hands over at once. */
const handedOverMax = 8;
/** The last things that happened, told when a run fails. */
const traceLength = 60;

/** Who sends from outside: gateways. */
export const outside = -1;

export interface CoreWorldOptions {
  readonly n: number;
  /** Replicas of which there is no core: what they say is made by hand. */
  readonly byzantine: readonly number[];
  /** Moments that each message takes. */
  readonly delay: number;
  readonly core: Omit<ConfigurationOptions, 'n' | 'self'>;
}

/** Cores, as much of their hosts as they need, and a network in which chance has no part. */
export class CoreWorld {
  readonly correct: readonly CoreHost[];
  /** Told what a correct replica says to everybody. */
  onSaid: (message: ReplicaMessage) => void = () => undefined;
  /** What gets lost on its way. Not every thing is a replica's message. */
  isLost: (from: number, to: number, message: ReplicaMessage | undefined) => boolean = () => false;
  private readonly configuration: Configuration;
  private readonly schedule = new Schedule();
  private readonly witness: Witness;
  private readonly byIndex = new Map<number, CoreHost>();
  private readonly trace: string[] = [];
  /** Whom a replica asks next. */
  private turn = 0;

  constructor(private readonly options: CoreWorldOptions) {
    const { n, core, byzantine } = options;
    const configurations = this.everybody.map((self) => new Configuration({ ...core, n, self: replicaIndex(self) }));
    this.configuration = configurations[0]!;
    this.witness = new Witness(this.configuration, new Set(byzantine));
    this.correct = configurations.filter(({ self }) => !byzantine.includes(self)).map((one) => new CoreHost(one));
    for (const host of this.correct) {
      this.byIndex.set(host.index, host);
      this.schedule.after(1 + ((3 * host.index) % momentsPerTick), this.clock(host)); // not all at the same moment
    }
  }

  get everybody(): readonly number[] {
    return Array.from({ length: this.options.n }, (_, replica) => replica);
  }

  /** One moment passes. */
  pass(): void {
    this.schedule.pass();
  }

  /** A message starts on its way to a replica. */
  send(from: number, to: number, message: ReplicaMessage): void {
    if (message.replica === to) return; // its own words come back to it: the host leaves them out
    if (!this.byIndex.has(from) && !this.witness.isGenuine(message)) throw new Error(`${summary(message)} is forged`);
    this.transmit(from, to, () => this.arrive(to, message), message);
  }

  /** On the request channel, which everybody hears. */
  publish(from: number, made: RequestBundle, receivers = this.everybody): void {
    for (const to of receivers) {
      const host = this.byIndex.get(to);
      if (host === undefined || to === from) continue;
      this.transmit(from, to, () => this.input(host, { kind: 'request', bundle: made }));
    }
  }

  restart(host: CoreHost): void {
    this.carryOut(host, host.restart());
    const { view, lastExecuted, isAmnesiac } = host.replica;
    this.note(`${host.index} restarts in view ${view} at ${lastExecuted}${isAmnesiac ? ', amnesiac' : ''}`);
    this.tick(host);
  }

  /** What is known of everybody's state, for a report. */
  describe(): string {
    const lines = this.correct.map(({ index, isUp, replica, lives }) => {
      const view = `${replica.isChangingView ? 'wants' : 'in'} view ${replica.view}`;
      const places = `executed ${replica.lastExecuted}, stable ${replica.stable.sequence}`;
      const memory = replica.isAmnesiac ? ', amnesiac' : '';
      return `  ${index}: ${isUp ? '' : 'down, '}${view}, ${places}, life ${lives}${memory}`;
    });
    return [`byzantine: [${this.options.byzantine.join()}]`, ...lines, ...this.trace].join('\n');
  }

  private transmit(from: number, to: number, arrive: () => void, message?: ReplicaMessage): void {
    if (!this.isLost(from, to, message)) this.schedule.after(this.options.delay, arrive);
  }

  private carryOut(host: CoreHost, effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'broadcast':
          this.broadcast(host.index, effect.message);
          break;
        case 'forward':
          for (const one of effect.bundles) this.publish(host.index, one);
          break;
        case 'fetch-batch':
          this.fetchBatch(host, effect);
          break;
        case 'executed':
          this.witness.onExecuted(host.index, effect.sequence, effect.batch);
          break;
        case 'corrupt':
          throw new Error(`replica ${host.index} finds its state corrupt`);
        default:
          break;
      }
    }
  }

  private broadcast(from: number, message: ReplicaMessage): void {
    this.note(`${from} says ${summary(message)}`);
    this.witness.onSaid(message);
    this.onSaid(message);
    for (const to of this.everybody) if (to !== from) this.send(from, to, message);
  }

  private arrive(to: number, message: ReplicaMessage): void {
    const own = copyOf(message);
    const host = this.byIndex.get(to);
    if (host?.isUp === true && isScreened(host.replica, own)) this.input(host, { kind: 'message', message: own });
  }

  private input(host: CoreHost, input: Input): void {
    if (!host.isUp) return;
    this.carryOut(host, host.step(input));
    const { log } = (host.replica as unknown as { core: { log: { size: number } } }).core;
    const { logSize } = this.options.core;
    if (log.size > 2 * logSize + 1) throw new Error(`${host.index} keeps ${log.size} slots`);
  }

  private tick(host: CoreHost): void {
    this.input(host, { kind: 'tick', now: clockStart + this.schedule.now * 5, isConnected: true });
  }

  /** A replica's clock: ticks, and every few of them a look at how far the others are. */
  private clock(host: CoreHost): () => void {
    let count = 0;
    const tick = (): void => {
      this.schedule.after(momentsPerTick, tick);
      this.tick(host);
      if (host.isUp && ++count % statusTicks === 0) this.catchUp(host);
    };
    return tick;
  }

  /** Another correct replica that is up, a different one each time. */
  private peerOf(host: CoreHost): CoreHost | undefined {
    const others = this.correct.filter((one) => one !== host && one.isUp);
    return others[this.turn++ % others.length];
  }

  /** The host's part in catching up: a peer that is ahead tells what it has (`src/replica/replica-node.ts`). */
  private catchUp(host: CoreHost): void {
    const peer = this.peerOf(host);
    if (peer === undefined) return;
    const { lastExecuted } = host.replica;
    for (let place = lastExecuted + 1; place <= lastExecuted + handedOverMax; place++) {
      const certificate = peer.log.certificateAt(place, this.configuration.q);
      if (certificate === undefined) break;
      this.transmit(peer.index, host.index, () => this.input(host, { kind: 'certificate', certificate }));
    }
    const { stable, newView, view } = peer.replica;
    if (newView !== undefined && host.replica.view < view) this.send(peer.index, host.index, newView);
    if (stable.sequence <= host.replica.stable.sequence || stable.sequence > lastExecuted) return;
    for (const message of stable.proof) {
      if (message.replica === peer.index) this.witness.onSaid(message);
      this.send(peer.index, host.index, message);
    }
  }

  private fetchBatch(host: CoreHost, { sequence, digest }: Extract<Effect, { kind: 'fetch-batch' }>): void {
    const peer = this.peerOf(host);
    if (peer === undefined) return;
    this.transmit(host.index, peer.index, () => {
      const batch = peer.isUp ? peer.replica.batchOf(sequence, digest) : undefined;
      if (batch === undefined) return;
      this.transmit(peer.index, host.index, () => {
        if (host.replica.wantsBatch(sequence, digest)) this.input(host, { kind: 'batch', sequence, batch });
      });
    });
  }

  private note(text: string): void {
    this.trace.push(`  ${this.schedule.now}: ${text}`);
    if (this.trace.length > traceLength) this.trace.shift();
  }
}

/** What the host asks the core before it looks at signatures (`src/replica/inbox.ts`). */
function isScreened(replica: Replica, message: ReplicaMessage): boolean {
  switch (message.kind) {
    case 'checkpoint':
      return replica.screenCheckpoint(message.sequence, message.replica) === undefined;
    case 'view-change':
    case 'new-view':
      return replica.screenView(message.kind, message.view, message.replica) === undefined;
    default:
      return replica.screen(message) === undefined;
  }
}

/** Each receiver decodes its own: what one fills in later is not seen by the others. */
function copyOf(message: ReplicaMessage): ReplicaMessage {
  if (message.kind === 'pre-prepare') return { ...message };
  if (message.kind !== 'new-view') return message;
  return { ...message, prePrepares: message.prePrepares.map((one) => ({ ...one, batch: undefined })) };
}

/** A message in a line, for the report of a run that failed. */
function summary(message: ReplicaMessage): string {
  switch (message.kind) {
    case 'checkpoint':
      return `checkpoint ${message.sequence}`;
    case 'view-change': {
      const prepared = message.prepared.map(({ prePrepare }) => `${prePrepare.sequence} in ${prePrepare.view}`);
      return `view-change to ${message.view} from ${message.stable.sequence}: [${prepared.join(', ')}]`;
    }
    case 'new-view': {
      const order = message.prePrepares.map(({ sequence, digest }) => `${sequence}: ${digest}`);
      return `new-view ${message.view}: [${order.join(', ')}]`;
    }
    default:
      return `${message.kind} ${message.view}/${message.sequence} ${message.digest}`;
  }
}
