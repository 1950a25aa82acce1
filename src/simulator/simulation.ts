import { faultsTolerated } from '../pbft/quorum.js';
import { tickMs } from '../replica/replica-node.js';
import type { BundleKind } from './byzantine/false-client.js';
import { Knowledge } from './byzantine/knowledge.js';
import { ByzantineReplica } from './byzantine/byzantine-replica.js';
import { Workload } from './clients.js';
import { Fate } from './fate.js';
import { profileOf, type Profile, type SimulationOptions } from './profile.js';
import { Random } from './random.js';
import { SimulatedCluster } from './simulated-cluster.js';
import type { Hashes } from './simulated-redis.js';
import type { Death } from './simulated-ports.js';
import { SimulatedReplica, type Life } from './simulated-replica.js';
import { Tally } from './tally.js';
import { drive } from './virtual-time.js';
import { Weather } from './weather.js';

/** Everything goes on for so long, at least, after the faults have stopped, virtual milliseconds. */
const settleMs = 500;
/** A liveness bound that is missed lets the run go on for so many times as long, to tell a slow cluster from a stuck one. */
const stuckFactor = 4;
/** Where every message takes about a time-out these are begun anew with each progress, and all takes longer. */
const slownessFactor = 4;
/** Logs that a replica's hashes may fill: below the stored checkpoint, up to the stable one, and what is under way. */
const hashesPerLog = 3;
/** Logs that its promises may fill: what is said in the turn in which a checkpoint becomes stable stays until the next one. */
const promisedPerLog = 4;
/** The replica's own hash, and its state. */
const hashesBesides = 2;
/** Requests that are made once the faults have stopped. */
const lastRequests = 3;

/** One simulated cluster with everything that happens to it. */
export class Simulation {
  readonly profile: Profile;
  readonly cluster: SimulatedCluster;
  readonly tally = new Tally();
  readonly weather: Weather;
  readonly workload: Workload;
  readonly fate: Fate;
  /** The faults have stopped. */
  isCalm = false;
  restarts = 0;
  private calmSince = 0;
  private lastAnswerMs = 0;

  constructor(seed: number, options: SimulationOptions = {}, onLine?: (line: string) => void) {
    this.profile = profileOf(seed, options);
    const { profile } = this;
    const latencies = Random.stream(seed, 'latencies');
    const latency = (): number => 0.05 + latencies.next() * 0.3;
    this.cluster = new SimulatedCluster({
      profile,
      latency: { toLog: latency, toBus: latency, back: latency },
      onLine,
      onDeath: (replica, death) => {
        this.onDeath(replica, death);
      },
      onTwin: ({ name, index }) => {
        if (!profile.byzantine.includes(index))
          this.cluster.violations.add('failure', `${name} finds a twin that there is not`);
      },
      onUnreachable: (replica) => {
        this.note(`${replica.name} ends: its log cannot be reached`);
        this.fate.reviveLater(replica);
      },
    });
    const { cluster } = this;
    this.weather = new Weather(profile, Random.stream(seed, 'network'), this.tally);
    cluster.network.hasEcho = profile.hasEcho;
    cluster.network.fate = (delivery) => this.weather.fate(delivery);
    this.workload = new Workload(cluster.parts, cluster.gateways, Random.stream(seed, 'clients'), cluster.replies);
    this.fate = new Fate(this, Random.stream(seed, 'fate'));
  }

  /** Base time-outs in which a request must be answered once the faults have stopped, virtual milliseconds. */
  get livenessBoundMs(): number {
    const { n, requestTimeoutTicks, viewChangeTimeoutTicks } = this.profile;
    return 10 * (faultsTolerated(n) + 1) * Math.max(requestTimeoutTicks, viewChangeTimeoutTicks) * tickMs;
  }

  /** Faults for a while, then calm until everybody is answered and equal. */
  async run(): Promise<void> {
    const { cluster, profile } = this;
    for (const replica of cluster.replicas) replica.start();
    this.workload.schedule(profile);
    this.fate.schedule();
    this.conspire();
    cluster.time.after(profile.durationMs, () => {
      this.calm();
    });
    await drive(cluster.time, () => cluster.violations.first !== undefined || this.isOver());
    if (cluster.violations.first === undefined) cluster.replies.finish();
  }

  /** Has the Byzantine replicas begin. */
  private conspire(): void {
    const { cluster, profile, tally } = this;
    if (profile.byzantine.length === 0) return;
    const { network, parts } = cluster;
    const knowledge = new Knowledge(parts.founders.membership.digest);
    const { onPublished } = network;
    network.onPublished = (from, channel, payload) => {
      onPublished(from, channel, payload);
      knowledge.hear(channel, payload);
    };
    const plot = {
      parts,
      knowledge,
      byzantine: profile.byzantine,
      faults: profile.faults,
      random: Random.stream(profile.seed, 'byzantine'),
      tally,
      bundlesFor: (kind: BundleKind) => this.fate.client.bundlesFor(kind),
      plant: (change: (hashes: Hashes) => void) => this.fate.redis.plant(change),
      note: (text: string) => {
        this.note(text);
      },
    };
    for (const index of profile.byzantine) {
      const replica = cluster.replicas[index];
      if (replica === undefined) continue;
      new ByzantineReplica(replica, plot).scheme(() => false);
      if (profile.faults.has('twin')) this.addTwin(replica);
    }
  }

  /** A second process with the same key, which says what it likes as well. */
  private addTwin(replica: SimulatedReplica): void {
    this.tally.add('twin');
    const twin = new SimulatedReplica(replica.index, replica.name, this.cluster.parts);
    const { network } = this.cluster;
    twin.conduct = {
      publish: (publications) => {
        network.publish(twin.name, publications);
      },
      hears: () => true,
    };
    twin.start();
  }

  /** How long the last request waited after the faults had stopped, in parts of what it may. */
  get slowest(): number {
    if (this.weather.lastingMs > 0) return 0; // no bound is promised where messages take longer than time-outs
    return Math.max(0, this.lastAnswerMs - this.calmSince) / this.livenessBoundMs;
  }

  note(text: string): void {
    this.cluster.trace?.add(text);
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
    this.cluster.network.resume(life.subscriber);
  }

  private onDeath(replica: SimulatedReplica, death: Death): void {
    this.tally.add(`crash-${death}`);
    this.fate.victims.onDeath(replica);
    this.note(`${replica.name} dies ${death.replace('-', ' its ')}`);
    this.fate.reviveLater(replica);
  }

  /** From now on messages arrive, everybody lives, and all clocks are right. */
  private calm(): void {
    this.isCalm = true;
    this.calmSince = this.cluster.time.now;
    this.note('the faults stop');
    this.weather.isCalm = true;
    this.weather.heal();
    const { busRedis, logRedis } = this.cluster.parts;
    for (const redis of [busRedis, logRedis]) Object.assign(redis, { outage: undefined, refusal: undefined });
    for (const subscriber of [...this.cluster.network.subscribers]) this.cluster.network.reconnect(subscriber);
    for (const replica of this.cluster.replicas) {
      replica.clockOffsetMs = 0;
      replica.clockRate = 1;
      if (replica.life === undefined) this.revive(replica);
      else {
        replica.life.process.doom = undefined;
        this.resume(replica, replica.life);
      }
    }
    for (let index = 0; index < lastRequests; index++) this.workload.submitOne();
  }

  /** Nobody promises progress any more: too many have lost their data (rule 28). */
  get isExempt(): boolean {
    return this.fate.victims.isOverwhelmed;
  }

  private isOver(): boolean {
    const { time, violations } = this.cluster;
    if (!this.isCalm || time.happened % 16 !== 0) return false;
    const sinceMs = time.now - this.calmSince;
    if (sinceMs < settleMs) return false;
    if (this.isExempt && sinceMs > this.livenessBoundMs / 4) return true;
    const isSlow = this.weather.lastingMs > 0;
    const isStuck = sinceMs > this.livenessBoundMs * stuckFactor * (isSlow ? slownessFactor : 1);
    if (this.workload.waiting.size > 0) {
      this.lastAnswerMs = time.now;
      if (isStuck) this.failLiveness(sinceMs);
      return false;
    }
    // What lies below a checkpoint goes by and by.
    if (this.isConverged() && (isStuck || this.oversized.length === 0)) {
      for (const what of this.oversized) violations.add('bounds', what);
      if (this.slowest > 1 && this.weather.lastingMs === 0) this.failLiveness(this.lastAnswerMs - this.calmSince);
      return true;
    }
    const where = this.cluster.positions().join('; ');
    if (isStuck)
      violations.add('liveness', `${Math.round(sinceMs)} ms after the faults replicas still differ: ${where}`);
    return false;
  }

  /** What Redis and the data folder hold for each replica does not grow with the history. */
  private get oversized(): string[] {
    const { checkpointInterval, logSize } = this.profile;
    const { correct, parts } = this.cluster;
    const hashesMax = hashesPerLog * logSize + checkpointInterval + hashesBesides;
    const promisedMax = promisedPerLog * logSize + checkpointInterval;
    return correct.flatMap(({ name, promisedPlaces }) => {
      const { size } = parts.logRedis.hashesOf(name);
      return [
        ...(size > hashesMax ? [`${name} has ${size} hashes, ${hashesMax} are enough`] : []),
        ...(promisedPlaces > promisedMax
          ? [`${name} keeps ${promisedPlaces} promises, ${promisedMax} are enough`]
          : []),
      ];
    });
  }

  private failLiveness(sinceMs: number): void {
    const waiting = [...this.workload.waiting.values()].map(({ what }) => what);
    const who =
      waiting.length > 0 ? `${waiting.length} requests wait, ${waiting[0] ?? ''}` : 'the last request is answered';
    const bound = `${Math.round(sinceMs)} ms after the faults (${Math.round(this.livenessBoundMs)} ms are allowed)`;
    this.cluster.violations.add('liveness', `${who}, ${bound}: ${this.cluster.positions().join('; ')}`);
  }

  private isConverged(): boolean {
    const reached = this.cluster.correct.map(({ life }) => life?.node.host.replica.lastExecuted ?? -1);
    return reached.every((place) => place === this.cluster.witness.execution.last);
  }
}
