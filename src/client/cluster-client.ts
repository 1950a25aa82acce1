import type { Json } from '../wire/json.js';
import type { MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof } from '../crypto/state-proof.js';

export interface SubmitOptions {
  /** Executed once however often it is sent, by whichever gateway. At most 256 characters. */
  readonly idempotencyKey?: string | undefined;
  /** How long to wait for f+1 matching replies, in milliseconds. */
  readonly deadlineMs?: number | undefined;
}

/** The answer to a query, and what it rests on. */
export interface QueryAnswer {
  /** `undefined`: there is no such thing. */
  readonly value: Json | undefined;
  /** The state that was read is the one after this sequence number. */
  readonly sequence: number;
  readonly consistency: 'linearizable' | 'local';
  /** The replicas that answered so. */
  readonly replicas: readonly string[];
}

/** One agreed batch, and the certificate that it was agreed. */
export interface AgreedBatch {
  readonly sequence: number;
  readonly view: number;
  readonly digest: string;
  /** Agreed time of the batch, milliseconds since 1970. */
  readonly time: number;
  readonly requests: readonly {
    readonly id: string;
    readonly client: string;
    readonly timestamp: number;
    readonly operation: Json;
  }[];
  /** The batch as it was ordered, base64: bundles as their gateways signed them. `digest` is its digest. */
  readonly batch: string;
  /** q COMMITs of distinct replicas for (view, sequence, digest); `frame` holds the signed bytes. */
  readonly certificate: readonly { readonly replica: string; readonly frame: string }[];
}

/** What one replica last said of itself, over its signature. */
export interface ReplicaStatus {
  readonly replica: string;
  readonly connected: boolean;
  readonly view: number | null;
  readonly lastExecuted: number | null;
  readonly stableCheckpoint: number | null;
  readonly stateDigest: string | null;
  readonly voting: boolean | null;
  /** Why it does not vote, in its own words; `null` when it votes or is not heard of. */
  readonly notVoting: string | null;
  /** Frames that it refused since it started, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

/** What a gateway has heard of its cluster. */
export interface ClusterStatus {
  readonly cluster: string;
  readonly epoch: number;
  readonly view: number;
  readonly primary: string;
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  readonly replicas: readonly ReplicaStatus[];
}

/**
 * What a gateway, the CLI or a library user talks to. It verifies everything that replicas say and accepts nothing on
 * the word of fewer than f+1 of them.
 */
export interface ClusterClient {
  /**
   * Has one operation agreed and executed.
   * @throws {QuorateError} `no-quorum`, `bus-unavailable`, `overloaded`, `idempotency-conflict`, `shutting-down`
   */
  submit(operation: Json, options?: SubmitOptions): Promise<Reply>;
  /**
   * Reads without ordering: `linearizable` on q matching answers (falling back to ordering when they do not come),
   * `local` on one replica's word.
   * @throws {QuorateError} as `submit`
   */
  query(query: Json, consistency: 'linearizable' | 'local', deadlineMs?: number): Promise<QueryAnswer>;
  /**
   * The batch agreed at `sequence`; `undefined` when no replica that answers has one.
   * @throws {QuorateError} `no-quorum`, `bus-unavailable`
   */
  agreedBatch(sequence: number, deadlineMs?: number): Promise<AgreedBatch | undefined>;
  /**
   * What a key of the state holds, or that it holds nothing, proven against the last stable checkpoint: `undefined` while there is
   * none. It is as old as that checkpoint; every copy of it can be verified offline.
   * @throws {QuorateError} `invalid-request`, `no-quorum`, `bus-unavailable`
   */
  prove(key: string, deadlineMs?: number): Promise<StateProof | undefined>;
  status(): ClusterStatus;
  membership(): MembershipDocument;
  /** Whether the bus answers. */
  readonly connected: boolean;
  /** Requests that wait for their replies. */
  readonly inFlight: number;
  /**
   * To be called for each request of others that comes in, whatever becomes of it: where thousands come in one turn of the event loop, what
   * the replicas answer is not left to wait for the end of it.
   */
  attend(): void;
  /** Takes nothing new, waits for what is in flight (each has its deadline), then lets go of the bus. */
  close(): Promise<void>;
}
