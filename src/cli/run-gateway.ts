import { hostname } from 'node:os';
import { join as joinPath } from 'node:path';
import { pino, type Logger } from 'pino';
import { openAccess } from '../access/open-access.js';
import { BusClient, clientTickMs, gatewayChannels } from '../client/bus-client.js';
import { readJoinToken } from '../config/join-token.js';
import type { Settings } from '../config/settings.js';
import type { Identity } from '../crypto/ed25519.js';
import { authorityFromToken } from '../crypto/enrolment.js';
import { membershipDocument, type Membership } from '../crypto/membership.js';
import { Ed25519Signer, Ed25519Verifier } from '../crypto/signatures.js';
import { DataFolder, writeDurably } from '../enrolment/data-folder.js';
import { admit, join } from '../enrolment/founding.js';
import { TimestampFile } from '../enrolment/timestamp-file.js';
import { createGateway } from '../gateway/gateway.js';
import type { AsyncRequests } from '../queue/async-requests.js';
import { openQueue } from '../queue/open-queue.js';
import { Seal } from '../queue/seal.js';
import { WebhookPolicy } from '../queue/webhook-policy.js';
import type { Connection } from '../redis/connection.js';
import { Keys } from '../redis/keys.js';
import { RedisBus } from '../redis/redis-bus.js';
import { RedisEnrolmentBoard } from '../redis/redis-enrolment-board.js';
import { RedisPublisher } from '../redis/redis-publisher.js';
import { RedisRateLimiter } from '../redis/redis-rate-limiter.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { openRedis, undo, type CleanUp } from './open-redis.js';
import type { Service } from './serve.js';

const publicFileMode = 0o644;
/** How much longer than its deadline a request of the queue is waited for at the end. */
const queueGraceMs = 500;

/**
 * Runs one gateway until it is stopped; stopping finishes what was accepted.
 * @throws {QuorateError} `identity-in-use`, `bus-unavailable`, `enrolment-refused` …; EADDRINUSE from the system
 */
export async function runGateway(settings: Settings, machine: StateMachine<unknown>): Promise<Service> {
  const cleanUp: CleanUp = [];
  try {
    await startGateway(settings, machine, cleanUp);
  } catch (error) {
    await undo(cleanUp);
    throw error;
  }
  return { stop: () => undo(cleanUp) };
}

async function startGateway(settings: Settings, machine: StateMachine<unknown>, cleanUp: CleanUp): Promise<void> {
  const folder = await DataFolder.claim(settings.dataDir, 'gateways', settings.gatewayId);
  cleanUp.push(() => {
    folder.release();
  });
  const { identity } = folder;
  const name = settings.gatewayId ?? `gateway-${identity.rawPublicKey.toString('hex').slice(0, 8)}`;
  process.title = `quorate gateway ${name}`;
  const logger = pino({ level: settings.logLevel, base: { gateway: name } });
  const connection = await openRedis(settings.redisUrl ?? '', cleanUp);
  const token = await readJoinToken(settings);
  const authority = authorityFromToken(token, settings.cluster);
  const membership = await admitted(settings, folder, authority, connection, name, logger, cleanUp);
  // Public: what `quorate verify` checks receipts against.
  const document = JSON.stringify(membershipDocument(membership), null, 2);
  writeDurably(joinPath(settings.dataDir, 'membership.json'), `${document}\n`, publicFileMode);

  const client = await openClient(settings, folder, authority, connection, membership, name, cleanUp);
  const queueRedis = await openRedis(settings.queueRedisUrl ?? '', cleanUp);
  const seal = new Seal(token, settings.cluster);
  const queue = await openRequests(settings, queueRedis, seal, client, machine, logger, cleanUp);
  const access = await openAccess(settings, new RedisRateLimiter(queueRedis, new Keys(settings.cluster).rate), logger);
  cleanUp.push(() => access?.close());
  if (access === undefined && !isLoopback(settings.host)) {
    logger.warn({ host: settings.host }, 'everybody who reaches this address may do everything: see ACCESS_FILE');
  }
  const options = { ...settings, stateMachine: machine, logger, queue, access: access?.control };
  const gateway = await createGateway(client, options);
  await gateway.listen();
  cleanUp.push(() => gateway.close());
  folder.health = { name, host: hostname(), ready: true, detail: `listens at ${gateway.url}` };
  logger.info({ url: gateway.url, genesis: membership.digestHex }, `${name} takes requests`);
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
  stateMachine: StateMachine<unknown>,
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

/** The membership of the cluster, once its replicas have founded it. */
async function admitted(
  { cluster }: Settings,
  folder: DataFolder,
  authority: Identity,
  connection: Connection,
  name: string,
  logger: Logger,
  cleanUp: CleanUp,
): Promise<Membership> {
  const abort = new AbortController();
  cleanUp.push(() => {
    abort.abort();
  });
  const board = new RedisEnrolmentBoard(connection, new Keys(cluster));
  const report = (progress: string): void => {
    folder.health = { name, host: hostname(), ready: false, detail: progress };
    logger.info({}, progress);
  };
  return join({ cluster, folder, authority, board, signal: abort.signal, report });
}

async function openClient(
  settings: Settings,
  folder: DataFolder,
  authority: Identity,
  connection: Connection,
  membership: Membership,
  name: string,
  cleanUp: CleanUp,
): Promise<BusClient> {
  const { cluster, redisUrl = '', deadlineMs, inFlightMax } = settings;
  const { identity } = folder;
  const keys = new Keys(cluster);
  const enrolment = admit(authority, cluster, 'gateway', name, identity);
  const client = new BusClient({
    membership,
    credential: { name, publicKey: identity.rawPublicKey, enrolment },
    signer: new Ed25519Signer(identity),
    verifier: new Ed25519Verifier(membership),
    publisher: new RedisPublisher(connection, keys),
    timestamps: new TimestampFile(folder),
    deadlineMs,
    inFlightMax,
    now: () => Date.now(),
  });
  client.attach(await new RedisBus(redisUrl, keys).subscribe(gatewayChannels(name), client));
  const timer = setInterval(() => {
    client.tick();
  }, clientTickMs);
  cleanUp.push(async () => {
    await client.close();
    clearInterval(timer);
  });
  return client;
}
