import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from '../crypto/receipt.js';
import type { Json } from '../wire/json.js';

/** `retrying`: an attempt did not succeed, and the next one has its time. */
export const REQUEST_STATES = ['waiting', 'active', 'retrying', 'completed', 'failed', 'cancelled'] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

/** What is known of an asynchronous request. Times are of RFC 3339. */
export interface RequestStatus {
  readonly id: string;
  readonly state: RequestState;
  /** How often it was begun to be executed; a gateway that died in the middle counts, too. */
  readonly attempts: number;
  readonly submittedAt: string;
  readonly finishedAt?: string | undefined;
  /** `completed`: the reply, as a synchronous request would have got it. */
  readonly reply?: Reply | undefined;
  /** `failed`: why; `retrying`: why the last attempt did not succeed. */
  readonly error?: { readonly code: string; readonly detail: string } | undefined;
}

export interface AsyncRequest {
  /** The idempotency key; without one the request is one of its own. 1 to 256 characters. */
  readonly key: string | undefined;
  readonly operation: Json;
  /** Whose it is; `null` where clients are not told apart. */
  readonly owner: string | null;
  /** Where to say that it has come to its end. */
  readonly webhook: string | undefined;
}

/** Keeps requests until they are executed, whatever happens to the gateway that took them. */
export interface AsyncRequests {
  /**
   * Takes a request; once this has settled it is not lost. The same key and operation again is the same request, and
   * tries it anew if it had failed.
   * @throws {QuorateError} `idempotency-conflict` the key has another operation or webhook, `overloaded` the queue is
   *   full, `invalid-request` a webhook that is not allowed, `bus-unavailable`
   */
  submit(request: AsyncRequest): Promise<RequestStatus>;
  /**
   * @param owner sees only what is theirs; `undefined` sees all
   * @returns `undefined` when there is no such request, or it is somebody else's, or its result's time is over
   * @throws {QuorateError} `bus-unavailable`
   */
  find(id: string, owner: string | null | undefined): Promise<RequestStatus | undefined>;
  /**
   * Cancels a request that was not proposed to the replicas yet.
   * @throws {QuorateError} `not-found`, `already-proposed`, `bus-unavailable`
   */
  cancel(id: string, owner: string | null | undefined): Promise<RequestStatus>;
  /** How many requests are in each state of the queue. @throws {QuorateError} `bus-unavailable` */
  counts(): Promise<Readonly<Record<string, number>>>;
  /** The page on which an operator sees the queues, below `path`. */
  board(path: string): Promise<(request: IncomingMessage, response: ServerResponse) => void>;
}
