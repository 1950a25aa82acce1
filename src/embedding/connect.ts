/**
 * A client that talks to a cluster through any gateway, or straight over its Redis, and believes neither: it verifies every receipt.
 * Loads no Nest, and what it needs for Redis only when it is used.
 * @module quorate/client
 */
import { QuorateError } from '../errors.js';
import type { QuorateClient } from '../sdk/client.js';
import { connectByHttp, type HttpConnection } from '../sdk/http-client.js';
import type { BusConnection } from './bus-connection.js';

export {
  QuorateClient,
  type CallOptions,
  type ClusterEvent,
  type EventsOptions,
  type QueryCallOptions,
  type SubmitCallOptions,
} from '../sdk/client.js';
export type { ClusterStatus, QueryAnswer, ReplicaStatus } from '../client/cluster-client.js';
export type { MembershipDocument } from '../crypto/membership.js';
export type { Receipt, Reply } from '../crypto/receipt.js';
export type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
export type { ReceiptSummary } from '../crypto/verify-receipt.js';
export { QUORATE_ERROR_CODES, QuorateError, type QuorateErrorCode } from '../errors.js';
export type { Json } from '../wire/json.js';
export type { HttpConnection } from '../sdk/http-client.js';
export type { BusConnection } from './bus-connection.js';

/**
 * Connects to a cluster: through a gateway (`url`), or straight over the bus (`redisUrl`). The client that comes of it is the
 * same. Through a gateway, what receipts are checked against must be pinned: by `membership`, by `genesis`, or, saying so, not at
 * all (`trustGateway`). Over the bus it may be; otherwise it is the cluster that was founded under the join token.
 * @throws {QuorateError} `invalid-setting`, `invalid-membership`; as any call where the membership must be asked for. Over the bus
 *   also `bus-unavailable`, `no-quorum` when no cluster is founded within the deadline, `enrolment-refused`, `identity-in-use`;
 *   or the reason of an abort
 */
export async function connect(connection: HttpConnection | BusConnection): Promise<QuorateClient> {
  const { url, redisUrl } = connection as { readonly url?: unknown; readonly redisUrl?: unknown };
  if ((url === undefined) === (redisUrl === undefined)) {
    throw new QuorateError('invalid-setting', 'say where to connect to: `url`, a gateway, or `redisUrl`, the bus');
  }
  if (url !== undefined) return await connectByHttp(connection as HttpConnection);
  const { connectByBus } = await import('./bus-connection.js');
  return await connectByBus(connection as BusConnection);
}
