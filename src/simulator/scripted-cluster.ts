import type { SignedKind } from '../crypto/genesis.js';
import type { Reply } from '../crypto/receipt.js';
import type { Replica } from '../pbft/replica.js';
import type { Channel, Publication } from '../ports/bus.js';
import { tickMs } from '../replica/replica-node.js';
import { Sealer } from '../wire/envelope.js';
import { decodeFrame, joinPacket, splitPacket, type Frame } from '../wire/frame.js';
import type { Json } from '../wire/json.js';
import { describeFrame } from './describe.js';
import type { MachineOf } from './checkers/witness.js';
import type { Violation } from './checkers/violations.js';
import type { Delivery } from './network.js';
import type { Profile } from './profile.js';
import type { Hashes } from './simulated-redis.js';
import { SimulatedCluster } from './simulated-cluster.js';
import type { Death } from './simulated-ports.js';
import type { SimulatedReplica } from './simulated-replica.js';
import { drive } from './virtual-time.js';

export interface ScriptOptions {
  readonly n?: number;
  /** K and L. */
  readonly checkpointInterval?: number;
  readonly logSize?: number;
  readonly batchSize?: number;
  readonly requestTimeoutTicks?: number;
  readonly viewChangeTimeoutTicks?: number;
  /** The log has a Redis of its own. */
  readonly isSplit?: boolean;
  /** Indices of replicas that no checker watches: the script speaks for them, or lets them run. */
  readonly byzantine?: readonly number[];
  readonly realSignatures?: boolean;
  /** Each replica's state machine, by its index; without it all run the key-value service. */
  readonly machineOf?: MachineOf;
}

/** A frame on its way to one process. */
export interface Sent {
  /** Names of processes: `replica-1`, `gateway-1`. */
  readonly from: string;
  readonly to: string;
  readonly channel: Channel;
  /** What is inside; a packet of several frames is asked about once for each, and lost if any of them is. */
  readonly frame: Frame;
}

export interface Saying {
  /** Indices of those that are told; everybody when it is left out. */
  readonly to?: readonly number[];
  readonly attachment?: Buffer;
  /** Else the channel of the kind's name. */
  readonly channel?: Channel;
}

/** Far more virtual time than anything takes, milliseconds. */
const patienceMs = 120_000;
/** Every message takes so long, milliseconds. */
const latencyMs = 1;

/**
 * A directed scenario on the simulated cluster: production hosts and cores in virtual time, in which nothing goes wrong of
 * itself. Time passes when the script says so; messages are lost, replicas die and speak as it says. The checkers watch all
 * the same. The same script gives the same run.
 */
export class ScriptedCluster {
  readonly cluster: SimulatedCluster;
  /** What was said, one line for each frame that was published: who says what to whom, and who did not get it. */
  readonly trace: string[] = [];
  /** Kinds of frame that the trace leaves out. */
  readonly quiet = new Set<string>(['status']);
  private readonly losses = new Set<(sent: Sent) => boolean>();

  private constructor(profile: Profile, machineOf?: MachineOf) {
    const latency = (): number => 0;
    this.cluster = new SimulatedCluster({
      profile,
      machineOf,
      latency: { toLog: latency, toBus: latency, back: latency },
      onLine: undefined,
      onDeath: ({ name }, death) => {
        this.note(`${name} dies ${death.replace('-', ' its ')}`);
      },
      onTwin: ({ name }) => {
        this.note(`${name} finds a twin`);
      },
      onUnreachable: ({ name }) => {
        this.note(`${name} ends: its log cannot be reached`);
      },
    });
    const { network } = this.cluster;
    network.fate = (delivery) => (this.isLost(delivery) ? [] : [latencyMs]);
    const onPublished = network.onPublished;
    network.onPublished = (from, channel, payload) => {
      onPublished(from, channel, payload);
      const to = [...network.subscribers]
        .filter((subscriber) => subscriber.channels.has(channel))
        .map(({ name }) => name);
      this.tell(from, [...new Set(to)], channel, payload);
    };
  }

  /** Starts all replicas and two gateways, and lets them find each other. */
  static async start(options: ScriptOptions = {}): Promise<ScriptedCluster> {
    const { n = 4, checkpointInterval = 8, logSize = 16, batchSize = 16, byzantine = [], isSplit = false } = options;
    const { requestTimeoutTicks = 10, viewChangeTimeoutTicks = 20, realSignatures = false } = options;
    const scripted = new ScriptedCluster(
      {
        seed: 0,
        n,
        checkpointInterval,
        logSize,
        batchSize,
        instancesInFlightMax: logSize,
        unfilledInFlightMax: logSize,
        requestTimeoutTicks,
        viewChangeTimeoutTicks,
        resendTicks: 10,
        isSplit,
        hasRealSignatures: realSignatures,
        durationMs: 0,
        requests: 0,
        byzantine,
        faults: new Set(),
        intensity: 0,
        isOverwhelmed: false,
        hasEcho: false,
      },
      options.machineOf,
    );
    for (const replica of scripted.cluster.replicas) replica.start();
    await scripted.runFor(2 * tickMs);
    return scripted;
  }

  /** What went wrong that nobody may cause; `undefined` when all is well. */
  get violation(): Violation | undefined {
    return this.cluster.violations.first;
  }

  /** The core of a living replica. */
  core(index: number): Replica {
    const { life } = this.seat(index);
    if (life === undefined) throw new Error(`replica ${index} does not live`);
    return life.node.host.replica;
  }

  seat(index: number): SimulatedReplica {
    const replica = this.cluster.replicas[index];
    if (replica === undefined) throw new RangeError(`replica ${index} of ${this.cluster.replicas.length}`);
    return replica;
  }

  /** Lets virtual time pass. */
  async runFor(ms: number): Promise<void> {
    const { time } = this.cluster;
    const end = time.now + ms;
    let isOver = false;
    time.after(ms, () => {
      isOver = true;
    });
    await drive(time, () => isOver || time.now > end);
  }

  /** Lets time pass until the condition holds. */
  async until(what: string, condition: () => boolean, withinMs = patienceMs): Promise<void> {
    const { time } = this.cluster;
    const end = time.now + withinMs;
    await drive(time, () => condition() || time.now > end);
    if (!condition()) throw new Error(`not within ${withinMs} ms: ${what}\n${this.cluster.positions().join('\n')}`);
  }

  /** Submits an operation and lets time pass until it is answered. */
  async submit(operation: Json, gateway = 0): Promise<Reply> {
    return await this.outcome(this.send(operation, gateway));
  }

  /** Submits an operation and goes on at once: await it with `outcome`. */
  send(operation: Json, gateway = 0): Promise<Reply> {
    const client = this.cluster.gateways[gateway]?.client;
    if (client === undefined) throw new RangeError(`gateway ${gateway}`);
    const start = this.cluster.time.now;
    const reply = client.submit(operation);
    reply.then(
      (given) => {
        this.cluster.replies.onReply({
          what: JSON.stringify(operation),
          start,
          end: this.cluster.time.now,
          reply: given,
        });
      },
      () => undefined, // whoever awaits the outcome sees it
    );
    return reply;
  }

  /** Lets time pass until the promise is settled, and gives what it came to. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.until('it is settled', () => isSettled);
    return await promise;
  }

  /** Loses what the predicate holds for, until the function that is returned is called. */
  lose(isLost: (sent: Sent) => boolean): () => void {
    this.losses.add(isLost);
    return () => {
      this.losses.delete(isLost);
    };
  }

  /** Nothing goes from or to this replica until the function that is returned is called. */
  isolate(index: number): () => void {
    const { name } = this.seat(index);
    return this.lose(({ from, to }) => from === name || to === name);
  }

  /** Ends a replica's process. */
  kill(index: number): void {
    this.note(`${this.seat(index).name} dies`);
    this.seat(index).kill();
  }

  /** Has it die when it next gets to that effect. */
  doom(index: number, death: Death): void {
    this.seat(index).doom(death);
  }

  /** Starts a replica on what is left of it, and lets it read its log back. */
  async revive(index: number): Promise<void> {
    this.note(`${this.seat(index).name} starts again`);
    const life = this.seat(index).start();
    await this.until('it runs', () => life.isRunning || this.violation !== undefined);
  }

  /** A copy of a replica's hashes, to be put back by `putBackLog`. */
  copyLog(index: number): Hashes {
    return this.cluster.parts.logRedis.copy(this.seat(index).name);
  }

  putBackLog(index: number, hashes: Hashes): void {
    this.cluster.parts.logRedis.putBack(this.seat(index).name, hashes);
  }

  loseLog(index: number): void {
    this.note(`${this.seat(index).name} loses its log`);
    this.putBackLog(index, new Map());
  }

  /** A frame that this replica has signed, and would perhaps never sign by itself. */
  frame(index: number, kind: Exclude<SignedKind, 'genesis'>, body: Buffer, attachment?: Buffer): Buffer {
    const { membership } = this.cluster.parts.founders;
    const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
    const sealer = new Sealer(context, this.cluster.parts.signatures.signerOf(this.seat(index).name), index);
    return sealer.seal(kind, body, attachment);
  }

  /** Has a replica say something besides what it says by itself, to some or to everybody. */
  say(index: number, kind: Exclude<SignedKind, 'genesis'>, body: Buffer, saying: Saying = {}): void {
    const { to, attachment, channel = kind as Channel } = saying;
    this.pass(this.seat(index).name, this.frame(index, kind, body, attachment), channel, to);
  }

  /** Publishes a frame, whosever it is. */
  pass(from: string, frame: Buffer, channel: Channel, to?: readonly number[]): void {
    const payload = joinPacket([frame]);
    const { network } = this.cluster;
    if (to === undefined) {
      network.publish(from, [{ channel, payload }]);
      return;
    }
    const names = to.map((receiver) => this.seat(receiver).name);
    this.tell(from, names, channel, payload);
    for (const name of names) network.tell(from, name, channel, payload);
  }

  /** Takes over what a Byzantine replica publishes: the script says what becomes of it. */
  intercept(index: number, publish: (publications: readonly Publication[]) => void): void {
    this.seat(index).conduct = { publish, hears: () => true };
  }

  note(text: string): void {
    this.trace.push(`${this.cluster.time.now.toFixed(0).padStart(6)}  ${text}`);
  }

  private isLost({ from, to, channel, payload }: Delivery): boolean {
    if (this.losses.size === 0) return false;
    const frames = this.framesIn(payload);
    return frames.some((frame) => [...this.losses].some((isLost) => isLost({ from, to, channel, frame })));
  }

  private framesIn(payload: Buffer): readonly Frame[] {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return [];
    const { digest } = this.cluster.parts.founders.membership;
    return frames.map((bytes) => decodeFrame(bytes, digest)).filter((frame) => typeof frame !== 'string');
  }

  private tell(from: string, to: readonly string[], channel: Channel, payload: Buffer): void {
    const { digest } = this.cluster.parts.founders.membership;
    const others = to.filter((name) => name !== from && !(channel === 'status' && name.startsWith('gateway')));
    for (const frame of this.framesIn(payload)) {
      if (this.quiet.has(frame.kind)) continue;
      const lost = others.filter((name) =>
        [...this.losses].some((isLost) => isLost({ from, to: name, channel, frame })),
      );
      const heard = others.filter((name) => !lost.includes(name));
      const missing = lost.length === 0 ? '' : `   (lost: ${lost.join(' ')})`;
      this.note(`${from} → ${heard.join(' ') || 'nobody'}: ${describeFrame(frame.bytes, digest)}${missing}`);
    }
  }
}
