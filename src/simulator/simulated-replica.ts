import { QuorateError } from '../errors.js';
import { MemoryPromiseKeeper } from '../memory/memory-promise-keeper.js';
import { Configuration, type ConfigurationOptions } from '../pbft/configuration.js';
import { replicaIndex } from '../pbft/types.js';
import type { Channel, Publication, SubscriptionListener } from '../ports/bus.js';
import type { Service } from '../replica/service.js';
import { replicaChannels, ReplicaNode, tickMs } from '../replica/replica-node.js';
import type { Witness } from './checkers/witness.js';
import type { Founders } from './founders.js';
import type { Signatures } from './modelled-signatures.js';
import type { Network, Subscriber } from './network.js';
import type { Random } from './random.js';
import type { SimulatedRedis } from './simulated-redis.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';
import {
  ProcessPromises,
  SimulatedMessageLog,
  SimulatedOutbox,
  Process,
  type Death,
  type Latency,
} from './simulated-ports.js';

/** What all replicas of a simulation share. */
export interface ClusterParts {
  readonly time: VirtualTime;
  readonly network: Network;
  readonly busRedis: SimulatedRedis;
  /** Equal to `busRedis` when one Redis serves for both. */
  readonly logRedis: SimulatedRedis;
  readonly founders: Founders;
  readonly signatures: Signatures;
  readonly configuration: Omit<ConfigurationOptions, 'self'>;
  readonly latency: Latency;
  readonly random: { readonly ticks: Random };
  readonly witness: Witness;
  /** Written only when somebody wants to read it. */
  readonly trace: Trace | undefined;
  /** A process has died at an effect where it was to die. */
  onDeath(replica: SimulatedReplica, death: Death): void;
  /** A process ends itself: an invariant is broken, or its log cannot be read. */
  onFailure(replica: SimulatedReplica, error: unknown): void;
  /** A process ends while it starts, since its log cannot be reached. */
  onUnreachable(replica: SimulatedReplica): void;
  onClientFailure(error: unknown): void;
  onTwin(replica: SimulatedReplica): void;
}

/** When the clocks of a simulation begin, milliseconds since 1970. */
export const epochMs = 1_700_000_000_000;

/** One life of a replica: from the start of its process to its end. */
export interface Life {
  readonly process: Process;
  readonly number: number;
  readonly node: ReplicaNode;
  readonly service: Service;
  readonly subscriber: Subscriber;
  /** It has read its log back and takes part. */
  isRunning: boolean;
  isPaused: boolean;
}

/** What is done differently with a replica: Byzantine ones are watched by nobody and say what they like. */
export interface Conduct {
  /** Instead of publishing. */
  publish(publications: readonly Publication[]): void;
  /** Whether the replica inside gets to hear this. */
  hears(channel: Channel, payload: Buffer): boolean;
}

/** A replica's place in the cluster: what outlives its processes, and the process while it lives. */
export class SimulatedReplica {
  private promises = new MemoryPromiseKeeper();
  life: Life | undefined;
  /** How far its clock is off, milliseconds, and how fast it runs. */
  clockOffsetMs = 0;
  clockRate = 1;
  lives = 0;
  conduct: Conduct | undefined;

  constructor(
    readonly index: number,
    readonly name: string,
    private readonly parts: ClusterParts,
  ) {}

  /** What its machine's clock shows, milliseconds since 1970. */
  get clock(): number {
    return Math.round(epochMs + this.parts.time.now * this.clockRate + this.clockOffsetMs);
  }

  /** For how many sequence numbers its data folder keeps promises. */
  get promisedPlaces(): number {
    return new Set(this.promises.read().map(({ sequence }) => sequence)).size;
  }

  /** Starts a process on what is left of it. */
  start(): Life {
    const { parts, name } = this;
    const number = ++this.lives;
    const process = new Process(name, (death) => {
      this.kill();
      parts.onDeath(this, death);
    });
    const service = parts.witness.serviceOf(this, number);
    const node = this.nodeOf(process, service, number);
    const { subscriber } = parts.network.subscribe(name, channelsOf(name), this.listenerOf(node, process));
    const life: Life = { process, number, node, service, subscriber, isRunning: false, isPaused: false };
    this.life = life;
    if (parts.busRedis.outage !== undefined) parts.network.cut(subscriber);
    node.probe();
    node.restore().then(
      () => {
        if (!process.isAlive) return;
        life.isRunning = true;
        node.run(this.clock);
        this.scheduleTick(life);
        parts.witness.afterStep(this, life);
      },
      (error: unknown) => {
        if (!process.isAlive) return;
        const isUnreachable = error instanceof QuorateError && error.code === 'bus-unavailable';
        if (isUnreachable) this.kill();
        if (isUnreachable) parts.onUnreachable(this);
        else parts.onFailure(this, error);
      },
    );
    return life;
  }

  /** Ends its process: what it has not handed over is lost. */
  kill(): void {
    const { life } = this;
    if (life === undefined) return;
    life.process.isAlive = false;
    this.life = undefined;
    this.parts.network.subscribers.delete(life.subscriber);
  }

  /** Its promises are gone, and it can tell. */
  losePromises(): void {
    this.promises.lose();
    this.parts.witness.onPromisesLost(this);
  }

  /** Its promises are gone, and it goes on as if there had been none: only a Byzantine replica does. */
  forgetPromises(): void {
    this.promises = new MemoryPromiseKeeper();
  }

  clearDoom(): void {
    if (this.life !== undefined) this.life.process.doom = undefined;
  }

  /** Has it die when it next gets to that effect. */
  doom(death: Death): void {
    if (this.life !== undefined) this.life.process.doom = death;
  }

  private scheduleTick(life: Life): void {
    const { time } = this.parts;
    const tick = (): void => {
      if (!life.process.isAlive) return;
      time.after(tickMs / this.clockRate, tick);
      if (life.isPaused) return;
      life.node.tick(this.clock, life.subscriber.isConnected);
      this.parts.witness.afterStep(this, life);
    };
    time.after(tickMs * this.parts.random.ticks.next(), tick);
  }

  private nodeOf(process: Process, service: Service, life: number): ReplicaNode {
    const { parts, index, name } = this;
    const { membership } = parts.founders;
    const { witness } = parts;
    const outbox = new SimulatedOutbox({
      time: parts.time,
      process,
      latency: parts.latency,
      bus: parts.busRedis,
      log: parts.logRedis,
      isSentByTheDead: () => parts.random.ticks.chance(0.5),
      onWritten: (writes) => {
        witness.onWritten(this, writes);
      },
      publish: (publications) => {
        if (this.conduct !== undefined) {
          this.conduct.publish(publications);
          return;
        }
        witness.onPublished(this, publications);
        parts.network.publish(name, publications);
      },
    });
    return new ReplicaNode({
      configuration: new Configuration({ ...parts.configuration, self: replicaIndex(index) }),
      names: membership.replicas.map((replica) => replica.name),
      genesisDigest: membership.digest,
      epoch: membership.epoch,
      service,
      signer: parts.signatures.signerOf(name),
      verifier: parts.signatures.verifier,
      outbox,
      log: new SimulatedMessageLog(parts.logRedis, name),
      promises: new ProcessPromises(this.promises, process, (promises) => {
        witness.onPromised(this, promises);
      }),
      logger: parts.trace?.loggerOf(name) ?? silent,
      incarnation: (index * 65_536 + life).toString(16).padStart(16, '0'),
      startedAt: this.clock,
      onFailure: (error) => {
        if (process.isAlive) parts.onFailure(this, error);
      },
      onTwin: () => {
        if (process.isAlive) parts.onTwin(this);
      },
    });
  }

  /** The dead hear nothing. */
  private listenerOf(node: ReplicaNode, process: Process): SubscriptionListener {
    return {
      onPayload: (channel, payload) => {
        if (process.isAlive && this.conduct?.hears(channel, payload) !== false) node.onPayload(channel, payload);
      },
      onConnected: () => {
        if (process.isAlive) node.onConnected();
      },
      onDisconnected: () => {
        if (process.isAlive) node.onDisconnected();
      },
    };
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function channelsOf(name: string) {
  return replicaChannels(name);
}
