import { hostname } from 'node:os';
import { join as joinPath } from 'node:path';
import { pino, type Logger } from 'pino';
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
import type { Connection } from '../redis/connection.js';
import { Keys } from '../redis/keys.js';
import { RedisBus } from '../redis/redis-bus.js';
import { RedisEnrolmentBoard } from '../redis/redis-enrolment-board.js';
import { RedisPublisher } from '../redis/redis-publisher.js';
import { openDirect, openRedis, type CleanUp } from './open-redis.js';

const publicFileMode = 0o644;

/** A client on the bus, and who it is. */
export interface OpenClient {
  readonly client: BusClient;
  readonly name: string;
  readonly folder: DataFolder;
  readonly membership: Membership;
  readonly logger: Logger;
}

/**
 * Enrols as a gateway and opens a client on the bus, once the cluster is founded.
 * @param accept throws at a membership that is not wanted, before anything of it is kept
 * @throws {QuorateError} `identity-in-use`, `bus-unavailable`, `enrolment-refused` …; what `accept` throws
 */
export async function openClusterClient(
  settings: Settings,
  cleanUp: CleanUp,
  accept?: (membership: Membership) => void,
): Promise<OpenClient> {
  const folder = await DataFolder.claim(settings.dataDir, 'gateways', settings.gatewayId);
  cleanUp.push(() => {
    folder.release();
  });
  const { identity } = folder;
  const name = settings.gatewayId ?? `gateway-${identity.rawPublicKey.toString('hex').slice(0, 8)}`;
  const logger = pino({ level: settings.logLevel, base: { gateway: name } });
  const connection = await openRedis(settings.redisUrl ?? '', cleanUp);
  const authority = authorityFromToken(await readJoinToken(settings), settings.cluster);
  const membership = await admitted(settings, folder, authority, connection, { name, logger, cleanUp, accept });
  // Public: what `quorate verify` checks receipts against.
  const document = JSON.stringify(membershipDocument(membership), null, 2);
  writeDurably(joinPath(settings.dataDir, 'membership.json'), `${document}\n`, publicFileMode);
  await connection.close(); // what follows is said over one of its own
  const client = await openClient(settings, folder, authority, membership, name, cleanUp);
  return { client, name, folder, membership, logger };
}

/** The membership of the cluster, once its replicas have founded it. */
async function admitted(
  { cluster }: Settings,
  folder: DataFolder,
  authority: Identity,
  connection: Connection,
  {
    name,
    logger,
    cleanUp,
    accept,
  }: Pick<OpenClient, 'name' | 'logger'> & {
    readonly cleanUp: CleanUp;
    readonly accept: ((membership: Membership) => void) | undefined;
  },
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
  return join({ cluster, folder, authority, board, signal: abort.signal, report, accept });
}

async function openClient(
  settings: Settings,
  folder: DataFolder,
  authority: Identity,
  membership: Membership,
  name: string,
  cleanUp: CleanUp,
): Promise<BusClient> {
  const { cluster, redisUrl = '', deadlineMs, inFlightMax } = settings;
  const { identity } = folder;
  const keys = new Keys(cluster);
  const saying = await openDirect(redisUrl, cleanUp);
  const enrolment = admit(authority, cluster, 'gateway', name, identity);
  const client = new BusClient({
    membership,
    credential: { name, publicKey: identity.rawPublicKey, enrolment },
    signer: new Ed25519Signer(identity),
    verifier: new Ed25519Verifier(membership),
    publisher: new RedisPublisher(saying, keys),
    timestamps: new TimestampFile(folder),
    deadlineMs,
    inFlightMax,
    now: () => Date.now(),
  });
  client.attach(await new RedisBus(redisUrl, keys, saying).subscribe(gatewayChannels(name), client));
  const timer = setInterval(() => {
    client.tick();
  }, clientTickMs);
  cleanUp.push(async () => {
    await client.close();
    clearInterval(timer);
  });
  return client;
}
