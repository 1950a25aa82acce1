import type { Server } from 'node:http';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import type { BusClient } from '../client/bus-client.js';
import { readJoinToken } from '../config/join-token.js';
import type { Settings } from '../config/settings.js';
import { createGateway, type Gateway } from '../gateway/gateway.js';
import type { AsyncRequests } from '../queue/async-requests.js';
import { openQueue } from '../queue/open-queue.js';
import { Seal } from '../queue/seal.js';
import { WebhookPolicy } from '../queue/webhook-policy.js';
import type { Connection } from '../redis/connection.js';
import { Keys } from '../redis/keys.js';
import { RedisRateLimiter } from '../redis/redis-rate-limiter.js';
import { withSignatures } from '../state-machine/signed.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { openClusterClient, type OpenClient } from './open-client.js';
import { openRedis, undo, type CleanUp } from './open-redis.js';
import type { Service } from './serve.js';

/** How much longer than its deadline a request of the queue is waited for at the end. */
const queueGraceMs = 500;

/** A gateway that listens. */
export interface RunningGateway extends Service {
  /** Without a slash at the end. */
  readonly url: string;
  readonly name: string;
  readonly client: OpenClient['client'];
}

/** A gateway that answers on somebody else's server, once it is there. */
export interface MountableGateway extends Omit<RunningGateway, 'url'> {
  /** Answers what `server` gets below the gateway's path, from now on. */
  mountOn(server: Server): void;
}

/**
 * Runs one gateway until it is stopped; stopping finishes what was accepted.
 * @param cleanUp filled with what is to be undone, so that a start can be given up
 * @throws {QuorateError} `identity-in-use`, `bus-unavailable`, `enrolment-refused` …; EADDRINUSE from the system
 */
export async function runGateway(
  settings: Settings,
  machine: StateMachine<unknown>,
  cleanUp: CleanUp = [],
): Promise<RunningGateway> {
  return await orUndone(cleanUp, async () => {
    const { gateway, isGuarded, logger, isReady, ...running } = await startGateway(settings, machine, cleanUp);
    if (!isGuarded && !isLoopback(settings.host)) {
      logger.warn({ host: settings.host }, 'everybody who reaches this address may do everything: see ACCESS_FILE');
    }
    await gateway.listen();
    isReady(`listens at ${gateway.url}`);
    return { ...running, url: gateway.url };
  });
}

/**
 * Runs one gateway for somebody else's server, until it is stopped.
 * @param path below which it answers: `''`, or `/` and a name, or several such
 * @throws {QuorateError} as `runGateway`
 */
export async function runMountableGateway(
  settings: Settings,
  machine: StateMachine<unknown>,
  path: string,
  cleanUp: CleanUp = [],
): Promise<MountableGateway> {
  return await orUndone(cleanUp, async () => {
    const { gateway, isGuarded, logger, isReady, ...running } = await startGateway(settings, machine, cleanUp, path);
    if (!isGuarded) {
      logger.warn({ path }, 'everybody who reaches the application may do everything below /v1: see ACCESS_FILE');
    }
    const mountOn = (server: Server): void => {
      gateway.mountOn(server);
      isReady(`answers below ${path}/v1`);
    };
    return { ...running, mountOn };
  });
}

async function orUndone<T>(cleanUp: CleanUp, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    await undo(cleanUp);
    throw error;
  }
}

/** A gateway, whole but for where it is reached. */
interface StartedGateway extends Omit<RunningGateway, 'url'> {
  readonly gateway: Gateway;
  readonly logger: Logger;
  /** Whether clients are told apart. */
  readonly isGuarded: boolean;
  /** To be told where it is reached. */
  readonly isReady: (detail: string) => void;
}

async function startGateway(
  settings: Settings,
  machine: StateMachine<unknown>,
  cleanUp: CleanUp,
  mountedAt?: string,
): Promise<StartedGateway> {
  const { client, name, folder, membership, logger } = await openClusterClient(settings, cleanUp);
  const signable = withSignatures(machine, membership.digest);
  const queueRedis = await openRedis(settings.queueRedisUrl ?? '', cleanUp);
  const seal = new Seal(await readJoinToken(settings), settings.cluster);
  const queue = await openRequests(settings, queueRedis, seal, client, signable, logger, cleanUp);
  const access = await openAccess(settings, new RedisRateLimiter(queueRedis, new Keys(settings.cluster).rate), logger);
  cleanUp.push(() => access?.close());
  const options = { ...settings, stateMachine: signable, logger, queue, access: access?.control, mountedAt };
  const gateway = await createGateway(client, options);
  cleanUp.push(() => gateway.close());
  const isReady = (detail: string): void => {
    folder.health = { name, host: hostname(), ready: true, detail };
    logger.info({ genesis: membership.digestHex }, `${name} ${detail} and takes requests`);
  };
  return { gateway, name, client, logger, isReady, isGuarded: access !== undefined, stop: () => undo(cleanUp) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Asynchronous requests. This gateway works on all there are, whoever has taken them. */
async function openRequests(
  settings: Settings,
  connection: Connection,
  seal: Seal,
  client: BusClient,
  stateMachine: Pick<StateMachine<unknown>, 'operation'>,
  logger: Logger,
  cleanUp: CleanUp,
): Promise<AsyncRequests> {
  const { queueRedisUrl: redisUrl = '', cluster, deadlineMs } = settings;
  const queue = await openQueue({
    ...{ connection, redisUrl, prefix: new Keys(cluster).queue, seal, client, stateMachine, logger, deadlineMs },
    limits: { lengthMax: settings.queueLengthMax, attempts: settings.queueAttempts, keepS: settings.resultsKeepS },
    concurrency: settings.queueConcurrency,
    webhooks: new WebhookPolicy(settings.webhookSecret, settings.webhookHosts),
  });
  cleanUp.push(async () => {
    await queue.close(deadlineMs + queueGraceMs);
  });
  return queue.requests;
}
