import { RepliesChecker } from './checkers/replies-checker.js';
import { Violations } from './checkers/violations.js';
import { Witness } from './checkers/witness.js';
import { SimulatedGateway, Workload } from './clients.js';
import type { ClusterParts } from './cluster.js';
import { Fate } from './fate.js';
import { foundersOf } from './founders.js';
import { modelledSignatures, realSignatures } from './modelled-signatures.js';
import { Network } from './network.js';
import { profileOf, type Profile, type SimulationOptions } from './profile.js';
import { Random } from './random.js';
import type { Death } from './simulated-ports.js';
import { SimulatedRedis } from './simulated-redis.js';
import { SimulatedReplica, type Life } from './simulated-replica.js';
import { Tally } from './tally.js';
import { Trace } from './trace.js';
import { drive, VirtualTime } from './virtual-time.js';
import { Weather } from './weather.js';
import { decodeBundleBody } from '../wire/bundle.js';
import { decodeFrame, splitPacket } from '../wire/frame.js';
import { tickMs } from '../replica/replica-node.js';
import { faultsTolerated } from '../pbft/quorum.js';

/** Everything goes on for so long, at least, after the faults have stopped. */
const settleMs = 500;
/** A liveness bound that is missed lets the run go on for so many times as long, to tell a slow cluster from a stuck one. */
const stuckFactor = 4;

/** One simulated cluster with everything that happens to it. */
export class Simulation {
  readonly profile: Profile;
  readonly time = new VirtualTime();
  readonly tally = new Tally();
  readonly violations = new Violations();
  readonly network: Network;
  readonly weather: Weather;
  readonly witness: Witness;
  readonly replies: RepliesChecker;
  readonly replicas: readonly SimulatedReplica[];
  readonly correct: readonly SimulatedReplica[];
  readonly gateways: readonly SimulatedGateway[];
  readonly workload: Workload;
  readonly trace: Trace | undefined;
  readonly parts: ClusterParts;
  readonly streams: {
    readonly fate: Random;
    readonly ticks: Random;
    readonly clients: Random;
    readonly nonces: Random;
  };
  /** The faults have stopped. */
  isCalm = false;
  private calmSince = 0;
  private lastAnswerMs = 0;
  restarts = 0;

  constructor(seed: number, options: SimulationOptions = {}, onLine?: (line: string) => void) {
    this.profile = profileOf(seed, options);
    const { profile, time } = this;
    const stream = (concern: string): Random => Random.stream(seed, concern);
    this.streams = {
      fate: stream('fate'),
      ticks: stream('ticks'),
      clients: stream('clients'),
      nonces: stream('nonces'),
    };
    this.weather = new Weather(profile, stream('network'), this.tally);
    this.network = new Network(time);
    this.network.fate = (delivery) => this.weather.fate(delivery);
    const founders = foundersOf(profile);
    const signatures = profile.hasRealSignatures ? realSignatures(founders) : modelledSignatures(founders);
    const byzantine = new Set(profile.byzantine);
    this.witness = new Witness(founders, this.violations, (replica) => byzantine.has(replica));
    this.trace = onLine === undefined ? undefined : new Trace(time, founders.membership.digest, onLine);
    const busRedis = new SimulatedRedis();
    const latencies = stream('latencies');
    const latency = (): number => 0.05 + latencies.next() * 0.3;
    this.parts = {
      time,
      network: this.network,
      busRedis,
      logRedis: profile.isSplit ? new SimulatedRedis() : busRedis,
      founders,
      signatures,
      configuration: profile,
      latency: { toLog: latency, toBus: latency, back: latency },
      random: this.streams,
      witness: this.witness,
      trace: this.trace,
      onDeath: (replica, death) => {
        this.onDeath(replica, death);
      },
      onFailure: (replica, error) => {
        this.violations.add(
          'failure',
          `${replica.name} ends itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
      onClientFailure: (error) => {
        this.violations.add(
          'failure',
          `a client fails: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
      onTwin: (replica) => {
        this.violations.add('failure', `${replica.name} finds a twin that there is not`);
      },
    };
    this.replicas = founders.membership.replicas.map(
      ({ name }, index) => new SimulatedReplica(index, name, this.parts),
    );
    this.correct = this.replicas.filter(({ index }) => !byzantine.has(index));
    this.replies = new RepliesChecker(
      founders.membership,
      signatures.verifier,
      profile.hasRealSignatures,
      this.witness.execution,
      this.violations,
    );
    this.gateways = ['gateway-1', 'gateway-2'].map(
      (name) => new SimulatedGateway(name, this.parts, this.streams.nonces),
    );
    this.workload = new Workload(this.parts, this.gateways, this.streams.clients, this.replies);
    this.watch();
  }

  /** Base time-outs in which a request must be answered once the faults have stopped, virtual milliseconds. */
  get livenessBoundMs(): number {
    const { n, requestTimeoutTicks, viewChangeTimeoutTicks } = this.profile;
    return 10 * (faultsTolerated(n) + 1) * Math.max(requestTimeoutTicks, viewChangeTimeoutTicks) * tickMs;
  }

  /** Faults for a while, then calm until everybody is answered and equal. */
  async run(): Promise<void> {
    const { time, profile } = this;
    for (const replica of this.replicas) replica.start();
    this.workload.schedule(profile);
    new Fate(this).schedule();
    time.after(profile.durationMs, () => {
      this.calm();
    });
    await drive(time, () => this.violations.first !== undefined || this.isOver());
    if (this.violations.first === undefined) this.replies.finish();
  }

  /** How long the last request waited after the faults had stopped, in parts of what it may. */
  get slowest(): number {
    return Math.max(0, this.lastAnswerMs - this.calmSince) / this.livenessBoundMs;
  }

  note(text: string): void {
    this.trace?.add(text);
  }

  revive(replica: SimulatedReplica): void {
    if (replica.life !== undefined) return;
    this.restarts++;
    this.note(`${replica.name} starts again`);
    replica.start();
  }

  resume(replica: SimulatedReplica, life: Life): void {
    if (!life.process.isAlive || !life.isPaused) return;
    this.note(`${replica.name} goes on`);
    life.isPaused = false;
    this.network.resume(life.subscriber);
  }

  private onDeath(replica: SimulatedReplica, death: Death): void {
    this.tally.add(`crash-${death}`);
    this.note(`${replica.name} dies ${death.replace('-', ' its ')}`);
    new Fate(this).reviveLater(replica);
  }

  /** Checkers and trace hear what is published and delivered. */
  private watch(): void {
    const { network, trace, witness } = this;
    const byName = new Map(this.replicas.map((replica) => [replica.name, replica]));
    if (trace !== undefined) {
      network.onDelivery = (delivery) => {
        trace.delivery(delivery);
      };
    }
    network.afterDelivery = ({ name }) => {
      const replica = byName.get(name);
      if (replica?.life !== undefined) witness.afterStep(replica, replica.life);
    };
    network.onPublished = (from, channel, payload) => {
      if (channel === 'request' && from.startsWith('gateway-')) this.onRequests(payload);
    };
  }

  private onRequests(payload: Buffer): void {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, this.parts.founders.membership.digest);
      if (typeof frame === 'string' || frame.kind !== 'request') continue;
      for (const { digest } of decodeBundleBody(frame.body, bytes.length).bundle.requests) this.witness.onMade(digest);
    }
  }

  /** From now on messages arrive, everybody lives, and all clocks are right. */
  private calm(): void {
    this.isCalm = true;
    this.calmSince = this.time.now;
    this.note('the faults stop');
    this.weather.isCalm = true;
    this.weather.heal();
    for (const replica of this.replicas) {
      replica.clockOffsetMs = 0;
      replica.clockRate = 1;
      if (replica.life === undefined) this.revive(replica);
      else {
        replica.life.process.doom = undefined;
        this.resume(replica, replica.life);
      }
    }
    for (let index = 0; index < 3; index++) this.workload.submitOne();
  }

  private isOver(): boolean {
    if (!this.isCalm || this.time.happened % 16 !== 0) return false;
    const sinceMs = this.time.now - this.calmSince;
    if (sinceMs < settleMs) return false;
    if (this.workload.waiting.size > 0) {
      this.lastAnswerMs = this.time.now;
      if (sinceMs > this.livenessBoundMs * stuckFactor) this.failLiveness(sinceMs);
      return false;
    }
    if (this.isConverged()) {
      if (this.slowest > 1) this.failLiveness(this.lastAnswerMs - this.calmSince);
      return true;
    }
    if (sinceMs > this.livenessBoundMs * stuckFactor) {
      this.violations.add(
        'liveness',
        `${Math.round(sinceMs)} ms after the faults replicas still differ: ${this.positions().join('; ')}`,
      );
    }
    return false;
  }

  private failLiveness(sinceMs: number): void {
    const waiting = [...this.workload.waiting.values()].map(({ what }) => what);
    const who =
      waiting.length > 0 ? `${waiting.length} requests wait, ${waiting[0] ?? ''}` : 'the last request was answered';
    this.violations.add(
      'liveness',
      `${who}, ${Math.round(sinceMs)} ms after the faults (${Math.round(this.livenessBoundMs)} ms are allowed): ${this.positions().join('; ')}`,
    );
  }

  private isConverged(): boolean {
    const reached = this.correct.map(({ life }) => life?.node.host.replica.lastExecuted ?? -1);
    return reached.every((place) => place === this.witness.execution.last);
  }

  private positions(): string[] {
    return this.replicas.map(({ name, life, index }) => {
      if (life === undefined) return `${name} is down`;
      const { replica } = life.node.host;
      const view = `${replica.isChangingView ? 'wants' : 'in'} view ${replica.view}`;
      const kind = this.profile.byzantine.includes(index) ? ' (Byzantine)' : '';
      const memory = replica.isAmnesiac ? ' amnesiac' : '';
      return `${name}${kind} ${view} executed ${replica.lastExecuted} stable ${replica.stable.sequence}${memory}`;
    });
  }
}
