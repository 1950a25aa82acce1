import { BusClient, clientTickMs, gatewayChannels } from '../../dist/client/bus-client.js';
import { readJoinToken } from '../../dist/config/join-token.js';
import { readSettings } from '../../dist/config/settings.js';
import { authorityFromToken } from '../../dist/crypto/enrolment.js';
import { Ed25519Signer, Ed25519Verifier } from '../../dist/crypto/signatures.js';
import { DataFolder } from '../../dist/enrolment/data-folder.js';
import { admit, join } from '../../dist/enrolment/founding.js';
import { TimestampFile } from '../../dist/enrolment/timestamp-file.js';
import { Connection } from '../../dist/redis/connection.js';
import { DirectConnection } from '../../dist/redis/direct-connection.js';
import { Keys } from '../../dist/redis/keys.js';
import { RedisBus } from '../../dist/redis/redis-bus.js';
import { RedisEnrolmentBoard } from '../../dist/redis/redis-enrolment-board.js';
import { RedisPublisher } from '../../dist/redis/redis-publisher.js';

/**
 * A client of a local cluster straight over the bus, as a gateway is one: with an identity of its own in the data folder,
 * which the join token there admits. Waits until the cluster is founded.
 *
 * @param {{ redisUrl: string, dataDir: string, clusterName: string, name: string, inFlightMax?: number, deadlineMs?: number }} options
 */
export async function openBusClient(options) {
  const { redisUrl, dataDir, clusterName, name, inFlightMax = 65_536, deadlineMs = 20_000 } = options;
  const settings = readSettings({}, { DATA_DIR: dataDir });
  const folder = await DataFolder.claim(dataDir, 'gateways', name);
  const authority = authorityFromToken(await readJoinToken(settings), clusterName);
  const keys = new Keys(clusterName);
  const connection = new Connection(redisUrl);
  await connection.open();
  const membership = await join({
    ...{ cluster: clusterName, folder, authority, board: new RedisEnrolmentBoard(connection, keys) },
    ...{ report: () => undefined, signal: new AbortController().signal },
  });
  await connection.close();
  const publishing = new DirectConnection(redisUrl);
  await publishing.open();
  const { identity } = folder;
  const client = new BusClient({
    membership,
    credential: {
      ...{ name, publicKey: identity.rawPublicKey },
      enrolment: admit(authority, clusterName, 'gateway', name, identity),
    },
    signer: new Ed25519Signer(identity),
    verifier: new Ed25519Verifier(membership),
    publisher: new RedisPublisher(publishing, keys),
    timestamps: new TimestampFile(folder),
    deadlineMs,
    inFlightMax,
    now: () => Date.now(),
  });
  client.attach(await new RedisBus(redisUrl, keys, publishing).subscribe(gatewayChannels(name), client));
  const timer = setInterval(() => client.tick(), clientTickMs);
  return {
    client,
    membership,
    async close() {
      await client.close();
      clearInterval(timer);
      folder.release();
    },
  };
}
