/**
 * A client that talks to a cluster through any gateway, and believes none: it verifies every receipt. Needs neither Nest nor
 * Redis.
 * @module quorate/client
 */
import type { QuorateClient } from './client.js';
import { connectByHttp, type HttpConnection } from './http-client.js';

export {
  QuorateClient,
  type CallOptions,
  type ClusterEvent,
  type EventsOptions,
  type QueryCallOptions,
  type SubmitCallOptions,
} from './client.js';
export type { ClusterStatus, QueryAnswer, ReplicaStatus } from '../client/cluster-client.js';
export type { MembershipDocument } from '../crypto/membership.js';
export type { Receipt, Reply } from '../crypto/receipt.js';
export type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
export type { ReceiptSummary } from '../crypto/verify-receipt.js';
export { QUORATE_ERROR_CODES, QuorateError, type QuorateErrorCode } from '../errors.js';
export type { Json } from '../wire/json.js';
export type { HttpConnection } from './http-client.js';

/**
 * Connects to a cluster through a gateway. What receipts are checked against must be pinned: by `membership`, by `genesis`,
 * or, saying so, not at all (`trustGateway`).
 * @throws {QuorateError} `invalid-setting`, `invalid-membership`; as any call where the membership must be asked for
 */
export async function connect(connection: HttpConnection): Promise<QuorateClient> {
  return await connectByHttp(connection);
}
