import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino, type Logger } from 'pino';
import { readJoinToken } from '../config/join-token.js';
import type { Settings } from '../config/settings.js';
import { authorityFromToken } from '../crypto/enrolment.js';
import type { Membership } from '../crypto/membership.js';
import { Ed25519Signer, Ed25519Verifier } from '../crypto/signatures.js';
import { DataFolder } from '../enrolment/data-folder.js';
import { found } from '../enrolment/founding.js';
import { PromiseFile } from '../enrolment/promise-file.js';
import { QuorateError } from '../errors.js';
import { Configuration } from '../pbft/configuration.js';
import { replicaIndex, type ReplicaIndex } from '../pbft/types.js';
import { assertNoEviction, type Connection } from '../redis/connection.js';
import type { DirectConnection } from '../redis/direct-connection.js';
import { Keys } from '../redis/keys.js';
import { RedisBus } from '../redis/redis-bus.js';
import { RedisEnrolmentBoard } from '../redis/redis-enrolment-board.js';
import { RedisMessageLog } from '../redis/redis-message-log.js';
import { RedisOutbox } from '../redis/redis-outbox.js';
import { replicaChannels, ReplicaNode, tickMs } from '../replica/replica-node.js';
import { StateMachineService } from '../replica/state-machine-service.js';
import type { Nondeterminism } from '../determinism/determinism-check.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { openDirect, openRedis, undo, type CleanUp } from './open-redis.js';
import type { Service } from './serve.js';

/** How long a starting replica listens for a living process with its identity, milliseconds. */
const probeMs = 300;
/** The file with promises in a replica's folder. */
const promiseFile = 'promises';
const instancesInFlightMax = 16;
/** Of which so many may hold fewer operations than a batch takes: a batch costs as much as some two hundred operations. */
const unfilledInFlightMax = 1;
const resendTicks = 10;

/** The connections of one replica; those to the log are those to the bus when it is kept on the bus's Redis. */
interface Connections {
  readonly busUrl: string;
  readonly bus: To;
  readonly log: To;
  readonly keys: Keys;
}

/** To one Redis: one for what is said, and one for everything else. */
interface To {
  readonly saying: DirectConnection;
  readonly asking: Connection;
}

/** A replica that takes part. */
export interface RunningReplica extends Service {
  readonly name: string;
}

/** How a replica lives in its process; by default it is the whole of it. */
export interface ReplicaHost {
  /** Filled with what is to be undone, so that a start can be given up. */
  readonly cleanUp: CleanUp;
  /** Told that this replica has ended by itself (another process with its identity, a broken invariant). */
  readonly onFailure: (error: unknown) => void;
  /** Told of operations that are not deterministic, when CHECK_DETERMINISM is true; they are logged besides. */
  readonly onNondeterminism?: (found: Nondeterminism) => void;
}

/**
 * Runs one replica until it is stopped.
 * @throws {QuorateError} `identity-in-use`, `bus-unavailable`, `unsafe-redis`, `state-format`, `enrolment-refused` …
 */
export async function runReplica(
  settings: Settings,
  machine: StateMachine<unknown>,
  host: ReplicaHost = { cleanUp: [], onFailure: () => process.exit(1) },
): Promise<RunningReplica> {
  const { cleanUp } = host;
  try {
    const folder = await DataFolder.claim(settings.dataDir, 'replicas', settings.replicaId, (path) => {
      PromiseFile.begin(join(path, promiseFile));
    });
    cleanUp.push(() => {
      folder.release();
    });
    const connections = await connect(settings, cleanUp);
    const logger = pino({ level: settings.logLevel });
    const membership = await enrol(settings, machine, folder, connections, logger, cleanUp);
    const name = await takePart(settings, machine, folder, connections, membership, logger, host);
    return { name, stop: () => undo(cleanUp) };
  } catch (error) {
    await undo(cleanUp);
    throw error;
  }
}

async function connect(settings: Settings, cleanUp: CleanUp): Promise<Connections> {
  const { redisUrl = '', logRedisUrl = redisUrl } = settings;
  const bus = await connectTo(redisUrl, cleanUp);
  const log = logRedisUrl === redisUrl ? bus : await connectTo(logRedisUrl, cleanUp);
  return { busUrl: redisUrl, bus, log, keys: new Keys(settings.cluster) };
}

async function connectTo(url: string, cleanUp: CleanUp): Promise<To> {
  const asking = await openRedis(url, cleanUp);
  await assertNoEviction(asking);
  return { asking, saying: await openDirect(url, cleanUp) };
}

async function enrol(
  settings: Settings,
  machine: StateMachine<unknown>,
  folder: DataFolder,
  { bus, keys }: Connections,
  logger: Logger,
  cleanUp: CleanUp,
): Promise<Membership> {
  const { cluster, replicas, checkpointInterval, logSize } = settings;
  const abort = new AbortController();
  cleanUp.push(() => {
    abort.abort();
  });
  return found({
    terms: { cluster, replicas, checkpointInterval, logSize, stateMachine: machine.name },
    folder,
    authority: authorityFromToken(await readJoinToken(settings), cluster),
    board: new RedisEnrolmentBoard(bus.asking, keys),
    report: (progress) => {
      setHealth(folder, folder.requestedName, false, progress);
      logger.info({ replica: folder.requestedName }, progress);
    },
    signal: abort.signal,
  });
}

async function takePart(
  settings: Settings,
  machine: StateMachine<unknown>,
  folder: DataFolder,
  { busUrl, bus, log, keys }: Connections,
  membership: Membership,
  parentLogger: Logger,
  { cleanUp, onFailure, onNondeterminism }: ReplicaHost,
): Promise<string> {
  const { self, name } = whoAmI(membership, folder);
  const logger = parentLogger.child({ replica: name });
  setHealth(folder, name, false, 'reading its log back');
  const end = (error: unknown): void => {
    logger.fatal({ err: error }, 'this replica ends');
    folder.release();
    onFailure(error);
  };

  const outbox = new RedisOutbox(bus.saying, log.saying, keys, name);
  cleanUp.push(() => outbox.close());
  const promises = new PromiseFile(join(folder.path, promiseFile));
  cleanUp.push(() => {
    promises.close();
  });
  const { n, digest, epoch } = membership;
  const node = new ReplicaNode({
    configuration: configurationOf(settings, membership, self),
    names: membership.replicas.map((replica) => replica.name),
    genesisDigest: digest,
    epoch,
    service: serviceOf(settings, machine, digest, logger, onNondeterminism),
    signer: new Ed25519Signer(folder.identity),
    verifier: new Ed25519Verifier(membership),
    outbox,
    log: new RedisMessageLog(log.asking, keys, name),
    promises,
    logger,
    incarnation: randomBytes(8).toString('hex'),
    startedAt: Date.now(),
    onFailure: end,
    onTwin: () => {
      end(new QuorateError('identity-in-use', `another process is running as ${name}`));
    },
  });
  const subscription = await new RedisBus(busUrl, keys, bus.saying).subscribe(replicaChannels(name), node);
  cleanUp.push(() => subscription.close());
  node.probe();
  cleanUp.push(() => node.stop());
  await node.restore();
  await delay(probeMs);

  const timer = setInterval(() => {
    node.tick(Date.now(), subscription.connected);
    const trouble = node.host.notVoting;
    const detail = trouble === '' ? `executed ${node.host.replica.lastExecuted}` : trouble;
    setHealth(folder, name, trouble === '' && subscription.connected, detail);
    if (!folder.isHeld) end(new QuorateError('identity-in-use', `the lock of ${folder.path} is gone`));
  }, tickMs);
  cleanUp.push(() => {
    clearInterval(timer);
  });
  node.run(Date.now());
  logger.info({ n, f: membership.f, q: membership.q, genesis: membership.digestHex }, `${name} takes part`);
  return name;
}

function serviceOf(
  { checkDeterminism }: Settings,
  machine: StateMachine<unknown>,
  genesisDigest: Buffer,
  logger: Logger,
  onNondeterminism: ReplicaHost['onNondeterminism'],
): StateMachineService {
  const onDefect = (error: unknown): void => {
    logger.error({ err: error }, 'the state machine has failed at an operation');
  };
  const report = (found: Nondeterminism): void => {
    const { message, ...rest } = found;
    logger[found.kind === 'differs' ? 'error' : 'warn'](rest, message);
    onNondeterminism?.(found);
  };
  const options = { genesisDigest, onNondeterminism: checkDeterminism === true ? report : undefined };
  return new StateMachineService(machine, onDefect, options);
}

/**
 * What the settings come to for one member of a cluster.
 * @public the bench composes replicas with it
 */
export function configurationOf(settings: Settings, { n, genesis }: Membership, self: ReplicaIndex): Configuration {
  const { batchSize, requestTimeoutMs, viewChangeTimeoutMs } = settings;
  const { checkpointInterval, logSize } = genesis;
  return new Configuration({
    n,
    self,
    checkpointInterval,
    logSize,
    batchSize,
    instancesInFlightMax: Math.min(instancesInFlightMax, logSize),
    unfilledInFlightMax,
    resendTicks,
    requestTimeoutTicks: Math.ceil(requestTimeoutMs / tickMs),
    viewChangeTimeoutTicks: Math.ceil(viewChangeTimeoutMs / tickMs),
  });
}

/** @throws {QuorateError} `identity-mismatch` */
function whoAmI({ replicas, genesis }: Membership, folder: DataFolder): { self: ReplicaIndex; name: string } {
  const place = replicas.findIndex((replica) => replica.rawPublicKey.equals(folder.identity.rawPublicKey));
  const name = replicas[place]?.name;
  if (name !== undefined) return { self: replicaIndex(place), name };
  throw new QuorateError(
    'identity-mismatch',
    `the key in ${folder.path} is none of cluster ${genesis.cluster}'s: its members are fixed at genesis`,
  );
}

function setHealth(folder: DataFolder, name: string, ready: boolean, detail: string): void {
  folder.health = { name, host: hostname(), ready, detail };
}
