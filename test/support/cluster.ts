import type { BusClient } from '../../src/client/bus-client.js';
import type { Reply } from '../../src/crypto/receipt.js';
import { Ed25519Verifier } from '../../src/crypto/signatures.js';
import { EventQueue } from '../../src/memory/event-queue.js';
import { MemoryBroker } from '../../src/memory/memory-broker.js';
import { MemoryBus } from '../../src/memory/memory-bus.js';
import { MemoryMessageLog } from '../../src/memory/memory-message-log.js';
import { MemoryOutbox } from '../../src/memory/memory-outbox.js';
import { MemoryPromiseKeeper } from '../../src/memory/memory-promise-keeper.js';
import { MemoryPublisher } from '../../src/memory/memory-publisher.js';
import { logKey } from '../../src/memory/memory-store.js';
import { tickMs } from '../../src/replica/replica-node.js';
import type { Json } from '../../src/wire/json.js';
import { History, VoteWatch } from './cluster-checks.js';
import { foundersOf, type Founders } from './cluster-membership.js';
import { startClient, startNode, type LivingNode } from './cluster-node.js';
import { settled } from './cluster-waiting.js';

export interface MemoryClusterOptions {
  readonly n?: number;
  /** K and L; small, so that tests see checkpoints. */
  readonly checkpointInterval?: number;
  readonly logSize?: number;
  /** The client's wait for f+1 matching replies. */
  readonly deadlineMs?: number;
}

/** A replica's place in a cluster: what outlives its process, and the process, while it lives. */
export interface Seat {
  readonly index: number;
  readonly name: string;
  promises: MemoryPromiseKeeper;
  life: (LivingNode & { readonly outbox: MemoryOutbox }) | undefined;
}

/** When the clock of a test begins. */
const epochMs = 1_700_000_000_000;
/** Far more than anything takes: several views that fail. */
const ticksMax = 2_000;

/**
 * Replicas and a client in one process, over one broker in memory, with a clock that moves only when a test says so. The
 * same calls give the same run.
 */
export class MemoryCluster {
  readonly queue = new EventQueue('manual');
  readonly broker = new MemoryBroker(this.queue);
  readonly history = new History();
  readonly votes: VoteWatch;
  readonly seats: readonly Seat[];
  client!: BusClient;
  now = epochMs;
  private lives = 0;

  private constructor(readonly founders: Founders) {
    const { membership } = founders;
    this.votes = new VoteWatch(membership, new Ed25519Verifier(membership));
    this.seats = membership.replicas.map(({ name }, index): Seat => {
      return { index, name, promises: new MemoryPromiseKeeper(), life: undefined };
    });
  }

  static async start(options: MemoryClusterOptions): Promise<MemoryCluster> {
    const { n = 4, checkpointInterval = 8, logSize = 16, deadlineMs = 10_000 } = options;
    const cluster = new MemoryCluster(foundersOf({ n, cluster: `memory-${n}`, checkpointInterval, logSize }));
    const { broker, founders } = cluster;
    await new MemoryBus(broker, 'watch').subscribe(VoteWatch.channels, cluster.votes);
    for (const seat of cluster.seats) await cluster.startReplica(seat.index);
    const name = 'gateway-1';
    const bus = new MemoryBus(broker, name);
    const publisher = new MemoryPublisher(broker, name);
    cluster.client = await startClient({ founders, name, bus, publisher, deadlineMs, now: () => cluster.now });
    await cluster.tick();
    return cluster;
  }

  /** Lets so many ticks pass at everybody who lives, and everything happen that follows from each. */
  async tick(count = 1): Promise<void> {
    for (let done = 0; done < count; done++) {
      this.now += tickMs;
      for (const { life } of this.living) life.node.tick(this.now, life.subscription.connected);
      this.client.tick();
      await this.drain();
    }
  }

  /** Has everything happen that is under way, in its order. */
  async drain(): Promise<void> {
    do {
      while (this.queue.runNext());
      await settled();
    } while (this.queue.size > 0);
  }

  /** Lets ticks pass until the condition holds. */
  async until(what: string, condition: () => boolean): Promise<void> {
    for (let ticks = 0; !condition(); ticks++) {
      if (ticks >= ticksMax) throw new Error(`not within ${ticksMax} ticks: ${what}`);
      await this.tick();
    }
  }

  /** Lets ticks pass until the promise is settled, and gives what it came to. */
  async outcome<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.drain();
    await this.until('it is settled', () => isSettled);
    return await promise;
  }

  async submit(operation: Json): Promise<Reply> {
    return await this.outcome(this.client.submit(operation));
  }

  /** Has `count` writes agreed, one after the other. */
  async write(count: number, key = 'key'): Promise<void> {
    for (let value = 0; value < count; value++) await this.submit({ op: 'increment', key, by: 1 });
  }

  get living(): readonly { readonly seat: Seat; readonly life: NonNullable<Seat['life']> }[] {
    return this.seats.flatMap((seat) => (seat.life === undefined ? [] : [{ seat, life: seat.life }]));
  }

  life(index: number): NonNullable<Seat['life']> {
    const life = this.seats[index]?.life;
    if (life === undefined) throw new Error(`replica ${index} does not live`);
    return life;
  }

  /** Starts a replica's process on what is left of it. */
  async startReplica(index: number): Promise<void> {
    const seat = this.seats[index]!;
    const outbox = new MemoryOutbox(this.broker, seat.name);
    const ports = {
      bus: new MemoryBus(this.broker, seat.name),
      outbox,
      log: new MemoryMessageLog(this.broker, seat.name),
      promises: seat.promises,
    };
    const service = this.history.serviceOf(`${seat.name} life ${this.lives}`);
    const life = this.lives++;
    const started = await startNode({ founders: this.founders, index, ports, service, startedAt: this.now, life });
    seat.life = { ...started, outbox };
    started.node.run(this.now);
  }

  /** Kills a replica's process: what it has not sent is lost. */
  async crash(index: number): Promise<void> {
    const { subscription, outbox } = this.life(index);
    this.seats[index]!.life = undefined;
    await outbox.close();
    await subscription.close();
  }

  /** The keys of a replica's log in Redis. */
  logKeys(index: number): string[] {
    const { name } = this.seats[index]!;
    const own = logKey(name, 'replica');
    return this.broker.store.keys.filter((key) => key === own || key.startsWith(`log:${name}:`));
  }

  deleteLog(index: number): void {
    for (const key of this.logKeys(index)) this.broker.store.delete(key);
  }

  /** A copy of a replica's log, to be put back by `putBackLog`. */
  copyLog(index: number): ReadonlyMap<string, ReadonlyMap<string, Buffer>> {
    return new Map(this.logKeys(index).map((key) => [key, this.broker.store.read(key)]));
  }

  putBackLog(index: number, copy: ReadonlyMap<string, ReadonlyMap<string, Buffer>>): void {
    this.deleteLog(index);
    for (const [key, hash] of copy) {
      for (const [field, value] of hash) this.broker.store.write(key, field, value);
    }
  }

  /** How far each living replica is, and with what state. */
  get positions(): readonly string[] {
    return this.living.map(({ life }) => `${life.node.host.replica.lastExecuted} ${life.service.stateDigest()}`);
  }

  get isAgreed(): boolean {
    return new Set(this.positions).size === 1;
  }

  /** What went wrong so far that nobody may cause. */
  get violations(): readonly unknown[] {
    return [
      ...this.history.disagreements.map((place) => `different executions at ${place}`),
      ...this.votes.contradictions,
      ...this.living.flatMap(({ life }) => life.failures),
    ];
  }
}

export function makeCluster(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  return MemoryCluster.start(options);
}
