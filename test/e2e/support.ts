import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { ClusterStatus, ReplicaStatus } from '../../src/client/cluster-client.js';
import type { Ending } from '../../src/cluster/child.js';
import { LocalCluster, type LocalClusterOptions } from '../../src/cluster/local-cluster.js';
import { poll } from '../../src/cluster/poll.js';
import { processEnvironment, readSettings, type Settings } from '../../src/config/settings.js';
import type { Reply } from '../../src/crypto/receipt.js';
import { areInAgreement } from '../support/agreement.js';
import { patienceMs } from '../support/processes.js';
import type { Increment, Load } from '../support/load.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';

/** Longer than any one test here takes on a busy machine. */
export const testTimeoutMs = 180_000;

/** What a gateway answered. */
export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
}

export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly [detail: string]: unknown;
}

export type Outcome = Reply & Problem;

/** A gateway as its users see it. */
export class Api {
  constructor(readonly url: string) {}

  async ask<Body = Outcome>(path: string, init: RequestInit = {}): Promise<Answer<Body>> {
    const response = await fetch(this.url + path, { signal: AbortSignal.timeout(patienceMs), ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Body };
  }

  async post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer<Outcome>> {
    const type = { 'content-type': 'application/json' };
    return await this.ask('/v1/requests', { method: 'POST', body, headers: { ...type, ...headers } });
  }

  async submit(operation: unknown, key?: string): Promise<Answer<Outcome>> {
    return await this.post(JSON.stringify({ operation }), key === undefined ? {} : { 'idempotency-key': key });
  }

  /** As `submit`, for an operation that is to be answered. */
  async agreed(operation: unknown, key?: string): Promise<Reply> {
    const { status, body } = await this.submit(operation, key);
    expect({ status, ...body }).toMatchObject({ status: 200 });
    return body;
  }

  /** A value of the key-value service. */
  async value(key: string): Promise<unknown> {
    const { body } = await this.ask<{ value: unknown }>(`/v1/kv/${key}`);
    return body.value;
  }

  async status(): Promise<ClusterStatus> {
    return (await this.ask<ClusterStatus>('/v1/status')).body;
  }

  /** @throws {Error} with the last status when the condition does not come true in time */
  async statusWhere(condition: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    let last: ClusterStatus | undefined;
    const found = await poll(patienceMs, async () => {
      last = await this.status();
      return condition(last) ? last : undefined;
    });
    if (found === undefined) throw new Error(`not so in time; the last status: ${JSON.stringify(last, null, 2)}`);
    return found;
  }

  /** Waits until a replica has executed what was agreed while it was away. */
  async untilExecuted(name: string, sequence: number): Promise<void> {
    await this.replicaWhere(name, ({ lastExecuted }) => (lastExecuted ?? 0) >= sequence);
  }

  async untilStable(name: string, sequence: number): Promise<void> {
    await this.replicaWhere(name, ({ stableCheckpoint }) => (stableCheckpoint ?? 0) >= sequence);
  }

  /** As `untilExecuted`, and it votes: its old status would not do. */
  async untilVoting(name: string, sequence: number): Promise<void> {
    await this.replicaWhere(name, ({ voting, lastExecuted }) => voting === true && (lastExecuted ?? 0) >= sequence);
  }

  /**
   * Waits until a request is answered and all replicas vote, and have executed it and the same besides to the same effect.
   * @throws {Error} with the last status when that does not happen in time
   */
  async agreement(): Promise<ClusterStatus> {
    // Statuses come twice a second: without a request that is younger, old ones would do.
    const sequence = await poll(patienceMs, async () => {
      const { status, body } = await this.submit({ op: 'get', key: 'agreement' });
      return status === 200 ? body.sequence : undefined;
    });
    if (sequence === undefined) throw new Error('requests are not answered');
    return await this.statusWhere(({ replicas }) => areInAgreement(replicas, sequence));
  }

  private async replicaWhere(name: string, condition: (status: ReplicaStatus) => boolean): Promise<void> {
    await this.statusWhere(({ replicas }) =>
      replicas.some((status) => status.replica === name && status.connected && condition(status)),
    );
  }
}

/** A folder of its own, below the system's for temporary files. */
export async function temporaryFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'quorate-e2e-'));
}

export interface TestClusterOptions extends Partial<
  Pick<LocalClusterOptions, 'gateways' | 'preferLoopbackPort' | 'stateMachine'>
> {
  readonly replicas?: number;
  /** The cluster starts a Redis of its own, which can be stopped alone, instead of using the test's. */
  readonly ownRedis?: true;
  /** By the names of their environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The clusters of this file's tests, and the Redis that they share. */
const clusters: TestCluster[] = [];
let redis: Promise<TestRedis> | undefined;

/** A whole cluster of separate processes in a folder that goes with it. `TestCluster.removeAll` belongs into `afterAll`. */
export class TestCluster extends LocalCluster {
  /** How the processes ended that nobody had asked to. */
  readonly endings = new Map<string, Ending>();

  /** In every channel and key. */
  readonly name: string;

  private constructor(options: LocalClusterOptions) {
    super(options);
    this.name = options.settings.cluster;
  }

  static async start(options: TestClusterOptions): Promise<TestCluster> {
    const redisUrl = options.ownRedis === true ? '' : (await (redis ??= startTestRedis())).url;
    const settings = settingsOf(await temporaryFolder(), redisUrl, options);
    const { gateways, preferLoopbackPort, stateMachine } = options;
    const cluster: TestCluster = new TestCluster({
      settings,
      names: Array.from({ length: settings.replicas }, (_, index) => `replica-${index + 1}`),
      onEnded: (name, ending) => cluster.endings.set(name, ending),
      ...(gateways === undefined ? {} : { gateways }),
      ...(stateMachine === undefined ? {} : { stateMachine }),
      ...(preferLoopbackPort === undefined ? {} : { preferLoopbackPort }),
    });
    clusters.push(cluster);
    await cluster.start();
    return cluster;
  }

  /** Ends everything that was started and deletes it. */
  static async removeAll(): Promise<void> {
    await Promise.all(clusters.map(async (cluster) => await cluster.remove()));
    await (await redis)?.stop();
  }

  api(gateway?: string): Api {
    return new Api(this.gatewayUrl(gateway));
  }

  /** Ends a load: it was answered whole and in order, all replicas come to one state, and none has ended by itself. */
  async expectWhole(load: Load): Promise<void> {
    const api = this.api();
    expect(await load.finish(async (key) => await api.value(key))).toEqual([]);
    expect(load.unanswered).toBe(0);
    await api.agreement();
    expect(this.endings).toEqual(new Map());
  }

  private async remove(): Promise<void> {
    await this.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Several clusters may share one Redis: each has a name of its own. */
function settingsOf(dataDir: string, redisUrl: string, options: TestClusterOptions): Settings {
  const { replicas = 4, settings } = options;
  const cache = processEnvironment()['XDG_CACHE_HOME'];
  return readSettings(
    {},
    {
      ...(cache === undefined ? {} : { XDG_CACHE_HOME: cache }),
      ...{ DATA_DIR: dataDir, PORT: '0', REDIS_URL: redisUrl, REPLICAS: String(replicas) },
      CLUSTER: `test-${clusters.length}`,
      ...settings,
    },
  );
}

/** The replicas that signed a receipt. */
export function signersOf({ receipt }: Reply): ReadonlySet<string> {
  return new Set(receipt.signatures.map(({ replica }) => replica));
}

/** For `Load`: increments by way of a gateway. */
export function incrementsOf(api: Api): Increment {
  return async (operation) => {
    const { status, body } = await api.submit(operation);
    if (status === 200) return (body.result as { value: number }).value;
    if (status === 504 || body.code === 'bus-unavailable') return undefined;
    throw new Error(`${status} ${JSON.stringify(body)}`);
  };
}
