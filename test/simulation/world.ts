import { Configuration } from '../../src/pbft/configuration.js';
import type { Effect } from '../../src/pbft/effects.js';
import type { Input } from '../../src/pbft/inputs.js';
import type { ReplicaMessage, RequestBundle } from '../../src/pbft/messages.js';
import { Replica } from '../../src/pbft/replica.js';
import { replicaIndex } from '../../src/pbft/types.js';
import { bundle, clockStart, request } from '../support/core-messages.js';
import type { Random } from '../support/seeds.js';
import { Adversary } from './adversary.js';
import type { HostLog } from './host-log.js';
import { momentsPerTick, type Profile } from './profile.js';
import { Network } from './network.js';
import { Schedule } from './schedule.js';
import { SimulatedReplica, type Death, type MakeReplica } from './simulated-replica.js';
import { summary } from './summary.js';
import { Witness } from './witness.js';

/** Ticks between two looks at how far the others are. */
const statusTicks = 5;
/** Certificates that a peer hands over at once. */
const handedOverMax = 8;
/** The last things that happened, told when a run fails. */
const traceLength = 60;

const deaths: readonly Death[] = ['before-anything', 'promised', 'logged', 'sent'];

/** What a run came to. */
export interface Outcome {
  readonly steps: number;
  readonly ticks: number;
  readonly highestView: number;
  readonly restarts: number;
  readonly executed: number;
  readonly checkpoints: number;
  /** Ticks after the faults until everything was executed; `undefined` when nobody had promised that. */
  readonly calmTicks: number | undefined;
}

/** Several cores, their hosts, the network between them, and all that can go wrong with these. */
export class World {
  readonly correct: readonly SimulatedReplica[];
  readonly configuration: Configuration;
  readonly schedule = new Schedule();
  readonly witness: Witness;
  readonly bundles: RequestBundle[] = [];
  readonly trace: string[] = [];
  /** Told what a correct replica says to everybody. */
  onSaid: (message: ReplicaMessage) => void = () => undefined;
  readonly network: Network;
  private readonly adversary: Adversary;
  private readonly byIndex = new Map<number, SimulatedReplica>();
  private readonly dying = new Map<number, Death>();
  private readonly known = new Map<number, Set<RequestBundle>>();
  /** Whose log was lost or set back: batches that they alone had are gone. */
  private readonly robbed = new Set<number>();
  private readonly copies = new Map<number, HostLog>();
  private readonly timestamps = new Map<string, number>();
  private steps = 0;

  constructor(
    readonly profile: Profile,
    readonly random: Random,
    makeReplica: MakeReplica = (configuration, environment) => new Replica(configuration, environment),
  ) {
    const { n, options } = profile;
    const byzantine = new Set(profile.byzantine);
    const configurations = Array.from({ length: n }, (_, self) => {
      return new Configuration({ ...options, n, self: replicaIndex(self) });
    });
    this.configuration = configurations[0]!;
    this.network = new Network(profile, random, this.schedule);
    this.witness = new Witness(this.configuration, byzantine);
    this.correct = configurations
      .filter(({ self }) => !byzantine.has(self))
      .map((configuration) => new SimulatedReplica(configuration, makeReplica));
    for (const replica of this.correct) this.byIndex.set(replica.index, replica);
    this.adversary = new Adversary(
      this,
      configurations.filter(({ self }) => byzantine.has(self)),
    );
    for (let replica = 0; replica < n; replica++)
      this.schedule.after(1 + random.below(momentsPerTick), this.clock(replica));
  }

  get everybody(): readonly number[] {
    return Array.from({ length: this.profile.n }, (_, replica) => replica);
  }

  /** Milliseconds since 1970, as all clocks show it. */
  get now(): number {
    return clockStart + this.schedule.now * 5;
  }

  get ticks(): number {
    return Math.floor(this.schedule.now / momentsPerTick);
  }

  /** One moment passes, with the faults that fall into it. */
  pass(): void {
    if (!this.network.isCalm) this.fate();
    this.adversary.pass();
    this.schedule.pass();
  }

  /** A message starts on its way to a replica, or several, or none. */
  send(from: number, to: number, message: ReplicaMessage): void {
    if (message.replica === to) return; // its own words come back to it: the host leaves them out
    if (!this.byIndex.has(from) && !this.witness.isGenuine(message)) throw new Error(`${summary(message)} is forged`);
    this.network.transmit(from, to, () => this.arrive(to, message), message);
  }

  /** Gateways send a new bundle, now and then with a request that another one holds as well. */
  submit(): void {
    const { random } = this;
    const repeated =
      this.bundles.length > 0 && random.chance(0.1) ? random.pick(this.bundles).requests.slice(0, 1) : [];
    const client = `c${random.below(3)}`;
    const requests = Array.from({ length: 1 + random.below(2) }, () => {
      const timestamp = (this.timestamps.get(client) ?? 0) + 1;
      this.timestamps.set(client, timestamp);
      return request(client, timestamp, '');
    });
    const all = repeated[0]?.client === client ? requests : [...repeated, ...requests];
    const made = bundle(all, { gateway: `g${random.below(2)}` });
    this.bundles.push(made);
    this.adversary.onBundle(made);
    this.publish(-1, made);
  }

  /** From now on messages arrive soon, everybody lives, and nobody is cut off. */
  calm(): void {
    this.network.isCalm = true;
    this.dying.clear();
    for (const replica of this.correct) if (!replica.isUp) this.restart(replica);
  }

  /** Requests that some correct replica knows of and that not all correct ones have executed. */
  get unfinished(): readonly string[] {
    const wanted = new Set<string>();
    for (const bundles of this.known.values()) {
      for (const { requests } of bundles)
        for (const { client, timestamp } of requests) wanted.add(`${client}#${timestamp}`);
    }
    const states = new Set(this.correct.map(({ state }) => state));
    const done = this.correct.map(({ history }) => new Set(history));
    const missing = [...wanted].filter((name) => done.some((history) => !history.has(name)));
    return states.size > 1 ? [...missing, 'different states'] : missing;
  }

  /** Whether more replicas are Byzantine or have lost their memory than the cluster bears: nobody promises progress. */
  get isExempt(): boolean {
    const forgetful = this.correct.filter(({ index, replica }) => replica.isAmnesiac || this.robbed.has(index));
    return forgetful.length + this.profile.byzantine.length > this.configuration.f;
  }

  outcome(calmSince: number): Outcome {
    return {
      steps: this.steps,
      ticks: this.ticks,
      highestView: this.witness.highestView,
      restarts: this.correct.reduce((sum, { lives }) => sum + lives - 1, 0),
      executed: Math.max(...this.correct.map(({ replica }) => replica.lastExecuted)),
      checkpoints:
        Math.max(...this.correct.map(({ replica }) => replica.stable.sequence)) /
        this.profile.options.checkpointInterval,
      calmTicks: this.unfinished.length > 0 ? undefined : this.ticks - calmSince,
    };
  }

  /** What is known of everybody's state, for a report. */
  describe(): string {
    const lines = this.correct.map(({ index, isUp, replica, lives }) => {
      const view = `${replica.isChangingView ? 'wants' : 'in'} view ${replica.view}`;
      const places = `executed ${replica.lastExecuted}, stable ${replica.stable.sequence}`;
      const memory = replica.isAmnesiac ? ', amnesiac' : '';
      return `  ${index}: ${isUp ? '' : 'down, '}${view}, ${places}, life ${lives}${memory}`;
    });
    return [`byzantine: [${this.profile.byzantine.join()}]`, ...lines, ...this.trace].join('\n');
  }

  /** What a Byzantine replica's process says: it may leave out whom it likes. */
  carryOut(from: number, effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'broadcast':
          this.broadcast(from, effect.message);
          break;
        case 'forward':
          for (const one of effect.bundles) this.publish(from, one);
          break;
        case 'fetch-batch':
          this.fetchBatch(from, effect);
          break;
        case 'executed':
          if (this.byIndex.has(from)) this.witness.onExecuted(from, effect.sequence, effect.batch);
          break;
        case 'corrupt':
          if (this.byIndex.has(from)) throw new Error(`replica ${from} finds its state corrupt`);
          break;
        default:
          break;
      }
    }
  }

  private broadcast(from: number, message: ReplicaMessage): void {
    if (this.byIndex.has(from)) {
      this.note(`${from} says ${summary(message)}`);
      this.witness.onSaid(message);
      this.onSaid(message);
    }
    this.adversary.hear(message);
    for (const to of this.everybody) {
      if (to !== from && this.adversary.isTold(from)) this.send(from, to, message);
    }
  }

  private arrive(to: number, message: ReplicaMessage): void {
    const own = copyOf(message);
    const replica = this.byIndex.get(to);
    if (replica === undefined) this.adversary.input(to, { kind: 'message', message: own });
    else if (replica.isUp && isScreened(replica.replica, own)) this.input(replica, { kind: 'message', message: own });
  }

  private input(replica: SimulatedReplica, input: Input): void {
    if (!replica.isUp) return;
    this.steps++;
    const death = this.dying.get(replica.index);
    if (death === undefined) {
      this.carryOut(replica.index, replica.step(input));
      this.assertBounded(replica);
      return;
    }
    this.dying.delete(replica.index);
    this.note(`${replica.index} dies, ${death}`);
    // Nothing that a dying process would have recorded by itself counts, except what it has sent.
    this.carryOut(replica.index, replica.stepAndDie(input, death));
    this.schedule.after(1 + this.random.below(400), () => {
      if (!replica.isUp) this.restart(replica);
    });
  }

  restart(replica: SimulatedReplica): void {
    this.known.get(replica.index)?.clear();
    this.carryOut(replica.index, replica.restart());
    const { view, lastExecuted, isAmnesiac } = replica.replica;
    this.note(`${replica.index} restarts in view ${view} at ${lastExecuted}${isAmnesiac ? ', amnesiac' : ''}`);
    this.input(replica, { kind: 'tick', now: this.now, isConnected: true });
  }

  private assertBounded({ index, replica }: SimulatedReplica): void {
    const { logSize } = this.profile.options;
    const { log } = (replica as unknown as { core: { log: { size: number } } }).core;
    if (log.size > 2 * logSize + 1) throw new Error(`${index} keeps ${log.size} slots`);
  }

  /** A replica's clock: ticks, and every few of them a look at how far the others are. */
  private clock(replica: number): () => void {
    let count = 0;
    const tick = (): void => {
      this.schedule.after(momentsPerTick, tick);
      const correct = this.byIndex.get(replica);
      if (correct === undefined) {
        this.adversary.input(replica, { kind: 'tick', now: this.now, isConnected: true });
        return;
      }
      this.input(correct, { kind: 'tick', now: this.now, isConnected: true });
      if (correct.isUp && ++count % statusTicks === 0) this.catchUp(correct);
    };
    return tick;
  }

  /** The host's part in catching up: a peer that is ahead tells what it has (`src/replica/replica-node.ts`). */
  private catchUp(replica: SimulatedReplica): void {
    const peer = this.random.pick(this.correct);
    if (peer === replica || !peer.isUp) return;
    const { lastExecuted } = replica.replica;
    for (let place = lastExecuted + 1; place <= lastExecuted + handedOverMax; place++) {
      const certificate = peer.log.certificateAt(place, this.configuration.q);
      if (certificate === undefined) break;
      this.network.transmit(peer.index, replica.index, () => this.input(replica, { kind: 'certificate', certificate }));
    }
    const { stable, newView, view } = peer.replica;
    if (newView !== undefined && replica.replica.view < view) this.send(peer.index, replica.index, newView);
    if (stable.sequence <= replica.replica.stable.sequence || stable.sequence > lastExecuted) return;
    for (const message of stable.proof) {
      if (message.replica === peer.index) this.witness.onSaid(message);
      this.send(peer.index, replica.index, message);
    }
  }

  private fetchBatch(from: number, { sequence, digest }: Extract<Effect, { kind: 'fetch-batch' }>): void {
    const peer = this.random.pick(this.correct);
    const wanting = this.byIndex.get(from);
    if (wanting === undefined || peer === wanting) return;
    this.network.transmit(from, peer.index, () => {
      const batch = peer.isUp ? peer.replica.batchOf(sequence, digest) : undefined;
      if (batch === undefined) return;
      this.network.transmit(peer.index, from, () => {
        if (wanting.replica.wantsBatch(sequence, digest)) this.input(wanting, { kind: 'batch', sequence, batch });
      });
    });
  }

  /** On the request channel, which everybody hears. */
  publish(from: number, made: RequestBundle, receivers = this.everybody): void {
    for (const to of receivers) {
      if (to === from) continue;
      this.network.transmit(from, to, () => {
        const replica = this.byIndex.get(to);
        const input: Input = { kind: 'request', bundle: made };
        if (replica === undefined) this.adversary.input(to, input);
        else if (replica.isUp) this.receiveBundle(replica, made, input);
      });
    }
  }

  private receiveBundle(replica: SimulatedReplica, made: RequestBundle, input: Input): void {
    this.input(replica, input);
    if (!replica.isUp) return;
    const known = this.known.get(replica.index) ?? new Set<RequestBundle>();
    this.known.set(replica.index, known.add(made));
  }

  /** What happens to the replicas and the network of itself. */
  private fate(): void {
    const { random, profile } = this;
    if (random.chance(profile.bundles / profile.duration)) this.submit();
    if (random.chance(profile.deaths)) this.dying.set(random.pick(this.correct).index, random.pick(deaths));
    if (random.chance(profile.partitions)) this.note(this.network.divide());
    if (random.chance(profile.lostLogs)) this.tamper(random.pick(this.correct));
  }

  /** A copy of a replica's log is taken, or put back in its place, or the log is lost; the replica restarts on it. */
  private tamper(replica: SimulatedReplica): void {
    const { random } = this;
    const copy = this.copies.get(replica.index);
    if (copy === undefined && random.chance(0.7)) {
      this.copies.set(replica.index, replica.log.copy());
      return;
    }
    const kept = random.below(2 * replica.replica.lastExecuted + 1) - replica.replica.lastExecuted;
    replica.log = copy ?? replica.log.upTo(Math.max(0, kept), { isOwnKept: random.chance(0.5) });
    this.copies.delete(replica.index);
    this.robbed.add(replica.index);
    this.note(`${replica.index} loses its log, ${copy === undefined ? 'some or all' : 'what is newer than a copy'}`);
    this.restart(replica);
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
