import type { Identity } from '../../src/crypto/ed25519.js';
import { Ed25519Signer, Ed25519Verifier } from '../../src/crypto/signatures.js';
import { BusClient, gatewayChannels } from '../../src/client/bus-client.js';
import { Configuration } from '../../src/pbft/configuration.js';
import { replicaIndex } from '../../src/pbft/types.js';
import type { Bus, Subscription } from '../../src/ports/bus.js';
import type { MessageLog } from '../../src/ports/message-log.js';
import type { Outbox } from '../../src/ports/outbox.js';
import type { PromiseKeeper } from '../../src/ports/promise-keeper.js';
import type { Publisher } from '../../src/ports/publisher.js';
import { replicaChannels, ReplicaNode, tickMs } from '../../src/replica/replica-node.js';
import type { StateMachineService } from '../../src/replica/state-machine-service.js';
import { admittedGateway, type Founders } from './cluster-membership.js';

/** What a replica stands on. */
export interface NodePorts {
  readonly bus: Bus;
  readonly outbox: Outbox;
  readonly log: MessageLog;
  readonly promises: PromiseKeeper;
}

export interface NodeOptions {
  readonly founders: Founders;
  readonly index: number;
  readonly ports: NodePorts;
  readonly service: StateMachineService;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Of all that were started, which one this is: stands for what a process draws at random. */
  readonly life: number;
  readonly key?: Identity;
}

/** One life of a replica. */
export interface LivingNode {
  readonly node: ReplicaNode;
  readonly subscription: Subscription;
  readonly service: StateMachineService;
  /** Why it wanted to end. */
  readonly failures: unknown[];
  /** Whether it was told that it is a twin's younger one. */
  readonly twins: { count: number };
}

const requestTimeoutMs = 1_000;
const viewChangeTimeoutMs = 2_000;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A replica as `quorate replica` composes it, up to where it would take part: `node.run` is the caller's. */
export async function startNode({
  founders,
  index,
  ports,
  service,
  startedAt,
  life,
  key,
}: NodeOptions): Promise<LivingNode> {
  const { membership, identities } = founders;
  const { n, digest, epoch, genesis } = membership;
  const failures: unknown[] = [];
  const twins = { count: 0 };
  const node = new ReplicaNode({
    configuration: new Configuration({
      n,
      self: replicaIndex(index),
      checkpointInterval: genesis.checkpointInterval,
      logSize: genesis.logSize,
      batchSize: 64,
      instancesInFlightMax: Math.min(16, genesis.logSize),
      resendTicks: 10,
      requestTimeoutTicks: Math.ceil(requestTimeoutMs / tickMs),
      viewChangeTimeoutTicks: Math.ceil(viewChangeTimeoutMs / tickMs),
    }),
    names: membership.replicas.map(({ name }) => name),
    genesisDigest: digest,
    epoch,
    service,
    signer: new Ed25519Signer(key ?? identities[index]!),
    verifier: new Ed25519Verifier(membership),
    outbox: ports.outbox,
    log: ports.log,
    promises: ports.promises,
    logger: silent,
    incarnation: (life + 1).toString(16).padStart(16, '0'),
    startedAt,
    onFailure: (error) => failures.push(error),
    onTwin: () => {
      twins.count++;
    },
  });
  const subscription = await ports.bus.subscribe(replicaChannels(membership.replicas[index]!.name), node);
  node.probe();
  await node.restore();
  return { node, subscription, service, failures, twins };
}

export interface ClientOptions {
  readonly founders: Founders;
  readonly name: string;
  readonly bus: Bus;
  readonly publisher: Publisher;
  readonly deadlineMs: number;
  readonly now: () => number;
}

/** A client of the bus as `quorate gateway` composes it; `tick` is the caller's. */
export async function startClient({
  founders,
  name,
  bus,
  publisher,
  deadlineMs,
  now,
}: ClientOptions): Promise<BusClient> {
  const { key, credential } = admittedGateway(founders, name);
  let timestamp = 0;
  const client = new BusClient({
    membership: founders.membership,
    credential,
    signer: new Ed25519Signer(key),
    verifier: new Ed25519Verifier(founders.membership),
    publisher,
    timestamps: { next: () => ++timestamp },
    deadlineMs,
    inFlightMax: 1024,
    now,
  });
  client.attach(await bus.subscribe(gatewayChannels(name), client));
  return client;
}
