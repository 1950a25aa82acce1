import type { KeyObject } from 'node:crypto';
import type { ClusterStatus, QueryAnswer } from '../client/cluster-client.js';
import type { MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
import type { ReceiptSummary } from '../crypto/verify-receipt.js';
import type { Json } from '../wire/json.js';

/** What every call takes. */
export interface CallOptions {
  /** Milliseconds for the whole call, its retries included. By default what `connect` was told. */
  readonly deadlineMs?: number | undefined;
  /** Gives the call up; it then rejects with the signal's reason. A request that was sent may still be executed. */
  readonly signal?: AbortSignal | undefined;
}

export interface SubmitCallOptions extends CallOptions {
  /**
   * Executed once however often it is sent, by whomever: 1 to 256 printable ASCII characters. Without one the client draws a
   * random one for each call, so that its own retries are safe.
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * The user's own Ed25519 private key. Replicas check the signature, and that it is for this cluster and this key, so that no gateway
   * can make up, alter or repeat an operation in the user's name. The state machine must know of signatures (`StateMachine.signatures`). The
   * signature holds until the deadline and a minute more: whoever submits anew under the same key later gets `idempotency-conflict` where
   * the first one was executed.
   */
  readonly signWith?: KeyObject | undefined;
}

export interface QueryCallOptions extends CallOptions {
  /** `linearizable` (the default): no older than any reply that was given before. `local`: on one replica's word. */
  readonly consistency?: 'linearizable' | 'local' | undefined;
}

/** What `events` takes. */
export interface EventsOptions {
  /** Begins after this sequence number; without it, with what happens from now on. */
  readonly after?: number | undefined;
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
}

/** One event of the cluster: `committed` carries a batch with its certificate, and its sequence number as `id`. */
export interface ClusterEvent {
  readonly type: string;
  /** By which a consumer resumes: hand it over as `after`. Events between batches have none. */
  readonly id: number | undefined;
  readonly data: Json;
}

/** A connection to a cluster, and the token by which Nest injects one. All of its errors but an abort are `QuorateError`s with a stable code. */
export abstract class QuorateClient {
  /**
   * Has one operation agreed and executed. The reply's receipt has been verified against the pinned membership, and against
   * this very operation.
   * @throws {QuorateError} `invalid-request`, `idempotency-conflict`, `request-too-large` at once; `no-quorum`, `overloaded`,
   *   `bus-unavailable`, `shutting-down` when retries did not help within the deadline; `invalid-receipt` for a forged reply
   */
  abstract submit(operation: Json, options?: SubmitCallOptions): Promise<Reply>;
  /**
   * Reads a key without ordering the read. `value` is `undefined` when there is no such thing. Over HTTP the answer rests on
   * the gateway's word, and nothing in it can be verified. Where that is not enough, `prove` gives the value as of the last stable
   * checkpoint, verified, and `submit` of a reading operation the present one, with a receipt. Over the bus it rests on q replicas.
   * @throws {QuorateError} as `submit`
   */
  abstract query(key: string, options?: QueryCallOptions): Promise<QueryAnswer>;
  /**
   * What a key of the state holds, or that it holds nothing, with a proof that has been verified against the pinned membership, and
   * that anybody else can verify, too. It is as old as the last stable checkpoint.
   * @throws {QuorateError} `not-found` while no checkpoint is stable; `invalid-receipt` for a forged proof; else as `submit`
   */
  abstract prove(key: string, options?: CallOptions): Promise<StateProof>;
  /**
   * What happens in the cluster, batch after batch without a gap; reconnects and resumes by itself. Each batch (`committed`)
   * was verified by its certificate; news of the cluster rest on the gateway's word.
   * @throws {QuorateError} `log-collected` when the log no longer reaches back so far (`details.availableFrom` tells from where
   *   it does); `invalid-certificate` when the gateway shows what was not agreed, or leaves out what was
   */
  abstract events(options?: EventsOptions): AsyncIterableIterator<ClusterEvent>;
  /**
   * Verifies a receipt, or a whole reply, against the pinned membership. Asks nobody.
   * @param receipt its text, or what was parsed from it
   * @throws {QuorateError} `invalid-receipt`, with the reason's code in `details.fault`
   */
  abstract verifyReceipt(receipt: string | object): ReceiptSummary;
  /**
   * Verifies a proof of state against the pinned membership. Asks nobody.
   * @param proof its text, or what was parsed from it
   * @throws {QuorateError} `invalid-receipt`, with the reason's code in `details.fault`
   */
  abstract verifyStateProof(proof: string | object): StateProofSummary;
  /**
   * Where each replica says that it is, as one gateway has heard it: for people and monitoring, not to decide by.
   * @throws {QuorateError} as `submit`, but for what belongs to an operation
   */
  abstract status(options?: CallOptions): Promise<ClusterStatus>;
  /** The membership that receipts are verified against. */
  abstract readonly membership: MembershipDocument;
  /** Ends what is under way; every later call is refused with `shutting-down`. */
  abstract close(): Promise<void>;
}
