import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import type { BusClient } from '../client/bus-client.js';
import { readJoinToken } from '../config/join-token.js';
import type { Settings } from '../config/settings.js';
import { createGateway } from '../gateway/gateway.js';
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
  try {
    return await startGateway(settings, machine, cleanUp);
  } catch (error) {
    await undo(cleanUp);
    throw error;
  }
}

async function startGateway(
  settings: Settings,
  machine: StateMachine<unknown>,
  cleanUp: CleanUp,
): Promise<RunningGateway> {
  const { client, name, folder, membership, logger } = await openClusterClient(settings, cleanUp);
  const signable = withSignatures(machine, membership.digest);
  const queueRedis = await openRedis(settings.queueRedisUrl ?? '', cleanUp);
  const seal = new Seal(await readJoinToken(settings), settings.cluster);
  const queue = await openRequests(settings, queueRedis, seal, client, signable, logger, cleanUp);
  const access = await openAccess(settings, new RedisRateLimiter(queueRedis, new Keys(settings.cluster).rate), logger);
  cleanUp.push(() => access?.close());
  if (access === undefined && !isLoopback(settings.host)) {
    logger.warn({ host: settings.host }, 'everybody who reaches this address may do everything: see ACCESS_FILE');
  }
  const options = { ...settings, stateMachine: signable, logger, queue, access: access?.control };
  const gateway = await createGateway(client, options);
  await gateway.listen();
  cleanUp.push(() => gateway.close());
  folder.health = { name, host: hostname(), ready: true, detail: `listens at ${gateway.url}` };
  logger.info({ url: gateway.url, genesis: membership.digestHex }, `${name} takes requests`);
  return { url: gateway.url, name, client, stop: () => undo(cleanUp) };
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
