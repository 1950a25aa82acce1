import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BusClient } from '../../src/client/bus-client.js';
import { clientTickMs } from '../../src/client/bus-client.js';
import { Ed25519Verifier } from '../../src/crypto/signatures.js';
import { PromiseFile } from '../../src/enrolment/promise-file.js';
import { Connection } from '../../src/redis/connection.js';
import { DirectConnection } from '../../src/redis/direct-connection.js';
import { Keys } from '../../src/redis/keys.js';
import { RedisBus } from '../../src/redis/redis-bus.js';
import { RedisMessageLog } from '../../src/redis/redis-message-log.js';
import { RedisOutbox } from '../../src/redis/redis-outbox.js';
import { RedisPublisher } from '../../src/redis/redis-publisher.js';
import { tickMs } from '../../src/replica/replica-node.js';
import { QuorateError } from '../../src/errors.js';
import { History, VoteWatch } from './cluster-checks.js';
import { foundersOf, type Founders } from './cluster-membership.js';
import { startClient, startNode, type LivingNode } from './cluster-node.js';
import { TcpProxy } from './cluster-proxy.js';
import { eventually } from './cluster-waiting.js';
import type { Increment } from './load.js';
import { OwnedRedis } from './owned-redis.js';

type Life = LivingNode & {
  /** What it reads by, */
  readonly connection: Connection;
  /** and what it writes and publishes by. */
  readonly saying: DirectConnection;
  readonly outbox: RedisOutbox;
  end(): Promise<void>;
};

/** Small, so that tests see checkpoints. */
const checkpointInterval = 8;
const logSize = 32;
const gateway = 'gateway-1';

export interface RedisClusterOptions {
  /** The client's wait for f+1 matching replies. */
  readonly deadlineMs?: number;
}

/**
 * Replicas and a client in one process, on a real Redis of their own: each behind a wire that can be cut, each with its
 * promises in a file. Time is the real one.
 */
export class RedisCluster {
  readonly keys = new Keys('integration');
  readonly history = new History();
  readonly votes: VoteWatch;
  readonly names: readonly string[];
  client!: BusClient;
  private readonly founders: Founders;
  private readonly folder = mkdtempSync(join(tmpdir(), 'quorate-integration-'));
  private readonly lives = new Map<string, Life>();
  private readonly wires = new Map<string, TcpProxy>();
  private readonly endings: (() => unknown)[] = [];
  private count = 0;

  private constructor(readonly redis: OwnedRedis) {
    this.founders = foundersOf({ n: 4, cluster: 'integration', checkpointInterval, logSize });
    this.names = this.founders.membership.replicas.map(({ name }) => name);
    this.votes = new VoteWatch(this.founders.membership, new Ed25519Verifier(this.founders.membership));
  }

  static async start({ deadlineMs = 20_000 }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const cluster = new RedisCluster(await OwnedRedis.start());
    const { redis, keys, votes, names, wires, endings } = cluster;
    endings.push(() => redis.stop());
    for (const name of [...names, gateway]) {
      const wire = await TcpProxy.to(redis.url);
      wires.set(name, wire);
      endings.push(() => wire.close());
    }
    const watch = await new RedisBus(redis.url, keys).subscribe(VoteWatch.channels, votes);
    endings.push(() => watch.close());
    for (const name of names) await cluster.startReplica(name);
    await cluster.openClient(deadlineMs);
    await eventually('everybody votes', () => cluster.client.status().replicas.every(({ voting }) => voting));
    return cluster;
  }

  async stop(): Promise<void> {
    for (const life of this.lives.values()) await life.end();
    for (const end of this.endings.reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The wire between Redis and a replica, or `gateway-1`. */
  wire(name: string): TcpProxy {
    return this.wires.get(name)!;
  }

  life(name: string): Life {
    const life = this.lives.get(name);
    if (life === undefined) throw new Error(`${name} does not live`);
    return life;
  }

  get primary(): string {
    return this.client.status().primary;
  }

  /** Starts a replica on what is left of it. */
  async startReplica(name: string): Promise<void> {
    const url = this.wire(name).url;
    const connection = new Connection(url);
    await connection.open();
    const saying = new DirectConnection(url);
    await saying.open();
    const outbox = new RedisOutbox(saying, saying, this.keys, name);
    PromiseFile.begin(join(this.folder, name));
    const promises = new PromiseFile(join(this.folder, name));
    const log = new RedisMessageLog(connection, this.keys, name);
    const ports = { bus: new RedisBus(url, this.keys, saying), outbox, log, promises };
    const life = this.count++;
    const service = this.history.serviceOf(`${name} life ${life}`);
    const index = this.names.indexOf(name);
    const started = await startNode({ founders: this.founders, index, ports, service, startedAt: Date.now(), life });
    const { node, subscription } = started;
    node.run(Date.now());
    const timer = setInterval(() => {
      node.tick(Date.now(), subscription.connected);
    }, tickMs);
    const end = async (): Promise<void> => {
      clearInterval(timer);
      await outbox.close();
      await subscription.close();
      await connection.close();
      await saying.close();
      promises.close();
    };
    this.lives.set(name, { ...started, connection, saying, outbox, end });
  }

  /** Ends a replica without its knowing: what it has not sent is lost. */
  async crash(name: string): Promise<void> {
    const life = this.life(name);
    this.lives.delete(name);
    await life.end();
  }

  /** For `Load`. */
  readonly increment: Increment = async (operation) => {
    try {
      const { result } = await this.client.submit(operation);
      return (result as { value: number }).value;
    } catch (error) {
      if (error instanceof QuorateError && ['no-quorum', 'bus-unavailable'].includes(error.code)) return undefined;
      throw error;
    }
  };

  /** Reads a counter in the total order. */
  readonly read = async (key: string): Promise<unknown> => {
    const { result } = await this.client.submit({ op: 'get', key });
    return (result as { value?: unknown }).value;
  };

  /**
   * Waits until all that live have executed what was acknowledged, to the same effect, and all of them vote.
   * @throws with how each of them is, when that does not happen in time
   */
  async agreement(): Promise<void> {
    const { sequence } = await this.client.submit({ op: 'get', key: 'agreement' });
    const isReady = ({ node }: Life): boolean =>
      node.host.replica.lastExecuted >= sequence && node.host.notVoting === '';
    const lives = [...this.lives.values()];
    const reached = eventually('all have executed as much, to the same effect, and vote', () => {
      const states = lives.map(({ node, service }) => `${node.host.replica.lastExecuted} ${service.stateDigest()}`);
      return new Set(states).size === 1 && lives.every(isReady);
    });
    await reached.catch((error: unknown) => {
      throw new Error([(error as Error).message, ...this.positions, ...this.violations].join('\n'), { cause: error });
    });
  }

  private get positions(): readonly string[] {
    return [...this.lives].map(([name, { node, service }]) => {
      const { view, lastExecuted, stable } = node.host.replica;
      const place = `view ${view}, executed ${lastExecuted}, stable ${stable.sequence}`;
      return `${name}: ${place}, state ${service.stateDigest().slice(0, 8)} ${node.host.notVoting}`;
    });
  }

  /** Waits until every replica has had the time to say `count` times how it is. */
  async statuses(count: number): Promise<void> {
    let heard = 0;
    const subscription = await new RedisBus(this.redis.url, this.keys).subscribe(['status'], {
      onPayload: () => heard++,
      onConnected: () => undefined,
      onDisconnected: () => undefined,
    });
    await eventually('they say how they are', () => heard >= count * this.names.length);
    await subscription.close();
  }

  /** What went wrong so far that nobody may cause. */
  get violations(): readonly unknown[] {
    return [
      ...this.history.disagreements.map((place) => `different executions at ${place}`),
      ...this.votes.contradictions,
      ...[...this.lives.values()].flatMap(({ failures }) => failures).map((error) => (error as Error).stack),
    ];
  }

  private async openClient(deadlineMs: number): Promise<void> {
    const { url } = this.wire(gateway);
    const connection = new DirectConnection(url);
    await connection.open();
    const publisher = new RedisPublisher(connection, this.keys);
    const bus = new RedisBus(url, this.keys, connection);
    const now = Date.now;
    const { founders } = this;
    this.client = await startClient({ founders, name: gateway, bus, publisher, deadlineMs, now });
    const timer = setInterval(() => {
      this.client.tick();
    }, clientTickMs);
    this.endings.push(async () => {
      await this.client.close();
      clearInterval(timer);
    });
  }
}
