import { BusClient, clientTickMs, gatewayChannels } from '../../dist/client/bus-client.js';
import { authorityFromToken } from '../../dist/crypto/enrolment.js';
import { generateIdentity, sign } from '../../dist/crypto/ed25519.js';
import { genesisDigest, preamble } from '../../dist/crypto/genesis.js';
import { Membership } from '../../dist/crypto/membership.js';
import { Ed25519Signer, Ed25519Verifier } from '../../dist/crypto/signatures.js';
import { readSettings } from '../../dist/config/settings.js';
import { configurationOf } from '../../dist/cli/run-replica.js';
import { admit } from '../../dist/enrolment/founding.js';
import { EventQueue } from '../../dist/memory/event-queue.js';
import { MemoryBroker } from '../../dist/memory/memory-broker.js';
import { MemoryBus } from '../../dist/memory/memory-bus.js';
import { MemoryMessageLog } from '../../dist/memory/memory-message-log.js';
import { MemoryOutbox } from '../../dist/memory/memory-outbox.js';
import { MemoryPromiseKeeper } from '../../dist/memory/memory-promise-keeper.js';
import { MemoryPublisher } from '../../dist/memory/memory-publisher.js';
import { replicaIndex } from '../../dist/pbft/types.js';
import { replicaChannels, ReplicaNode, tickMs } from '../../dist/replica/replica-node.js';
import { StateMachineService } from '../../dist/replica/state-machine-service.js';
import KeyValueService from '../../dist/state-machine/key-value.js';

const CLUSTER = 'one-process';
const GATEWAY = 'gateway-1';
const DEADLINE_MS = 20_000;
const IN_FLIGHT_MAX = 65_536;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Ends the process: there is nothing to be measured any more. */
function fail(error) {
  throw error instanceof Error ? error : new Error(String(error));
}

/**
 * Four replicas and a client of theirs in this process, as `quorate replica` and a gateway are composed, over ports in memory: all that
 * a request costs but for Redis, sockets, and what several processes do to each other's caches.
 *
 * @returns {Promise<BusClient>}
 */
export async function startMemoryCluster(replicas = 4) {
  const settings = readSettings({}, { REPLICAS: String(replicas) });
  const founders = foundedBy(replicas, settings);
  const broker = new MemoryBroker(new EventQueue('microtask'));
  for (const index of founders.identities.keys()) await startReplica(founders, index, broker, settings);
  return startClient(founders, broker);
}

function foundedBy(replicas, { checkpointInterval, logSize }) {
  const authority = authorityFromToken('a token that only the bench knows', CLUSTER);
  const names = Array.from({ length: replicas }, (_, index) => `replica-${index + 1}`);
  const identities = names.map(() => generateIdentity());
  const genesis = {
    ...{ cluster: CLUSTER, authority: authority.rawPublicKey, stateMachine: new KeyValueService().name },
    ...{ checkpointInterval, logSize },
    replicas: names.map((name, index) => ({ name, publicKey: identities[index].rawPublicKey })),
  };
  const statement = preamble(genesisDigest(genesis), 0, 'genesis');
  const membership = new Membership(
    genesis,
    identities.map(({ privateKey }) => sign(privateKey, statement)),
    identities.map((identity, index) => admit(authority, CLUSTER, 'replica', names[index], identity)),
  );
  return { authority, identities, membership };
}

async function startReplica({ membership, identities }, index, broker, settings) {
  const { replicas, digest, epoch } = membership;
  const { name } = replicas[index];
  const node = new ReplicaNode({
    configuration: configurationOf(settings, membership, replicaIndex(index)),
    names: replicas.map((replica) => replica.name),
    genesisDigest: digest,
    epoch,
    service: new StateMachineService(new KeyValueService(), fail),
    signer: new Ed25519Signer(identities[index]),
    verifier: new Ed25519Verifier(membership),
    outbox: new MemoryOutbox(broker, name),
    log: new MemoryMessageLog(broker, name),
    promises: new MemoryPromiseKeeper(),
    logger: silent,
    incarnation: String(index + 1).padStart(16, '0'),
    startedAt: Date.now(),
    onFailure: fail,
    onTwin: () => fail('a replica has a twin'),
  });
  const subscription = await new MemoryBus(broker, name).subscribe(replicaChannels(name), node);
  await node.restore();
  setInterval(() => node.tick(Date.now(), subscription.connected), tickMs);
  node.run(Date.now());
}

async function startClient({ authority, membership }, broker) {
  const identity = generateIdentity();
  let timestamp = 0;
  const client = new BusClient({
    membership,
    credential: {
      ...{ name: GATEWAY, publicKey: identity.rawPublicKey },
      enrolment: admit(authority, CLUSTER, 'gateway', GATEWAY, identity),
    },
    signer: new Ed25519Signer(identity),
    verifier: new Ed25519Verifier(membership),
    publisher: new MemoryPublisher(broker, GATEWAY),
    timestamps: { next: () => ++timestamp },
    deadlineMs: DEADLINE_MS,
    inFlightMax: IN_FLIGHT_MAX,
    now: () => Date.now(),
  });
  client.attach(await new MemoryBus(broker, GATEWAY).subscribe(gatewayChannels(GATEWAY), client));
  setInterval(() => client.tick(), clientTickMs);
  return client;
}
