import type {
  Batch,
  CommittedCertificate,
  PhaseMessage,
  ReplicaMessage,
  Request,
  RequestBundle,
  StableCheckpoint,
} from './messages.js';
import type { RefusalReason } from './refusal.js';
import type { Digest, ReplicaIndex, SequenceNumber, View } from './types.js';

/** One request's place in a batch of replies. */
export interface ReplyLeaf {
  readonly requestDigest: Digest;
  readonly resultDigest: Digest;
}

/** What executing one request gave. */
export interface Executed {
  readonly client: string;
  readonly timestamp: number;
  readonly requestDigest: Digest;
  /** SHA-256 of the operation. */
  readonly operationDigest: Digest;
  readonly result: Uint8Array;
  /** Its leaf's place among the batch's. */
  readonly index: number;
}

/** What a replica signs of one executed batch. */
export interface ReplyStatement {
  /** The view in which the batch was first proposed. */
  readonly view: View;
  readonly sequence: SequenceNumber;
  /** How many requests the batch executed. */
  readonly size: number;
  /** Merkle root over their leaves, in order. */
  readonly root: Digest;
}

/** The replies of one executed batch. */
export interface BatchReplies {
  readonly statement: ReplyStatement;
  /** Leaves of all requests that the batch executed, in order. */
  readonly leaves: readonly ReplyLeaf[];
}

/** An executed request with what is needed to answer it again, receipt and all. */
export interface CachedReply {
  readonly executed: Executed;
  readonly resultDigest: Digest;
  readonly statement: ReplyStatement;
  /** The way from its leaf to the statement's root: so many hashes of 32 bytes, nearest first. */
  readonly path: Uint8Array;
}

/** The replies of one batch to one client: they come and go together. */
export interface ReplyGroup {
  readonly client: string;
  readonly statement: ReplyStatement;
  readonly replies: readonly CachedReply[];
}

/** What the reply cache knows of a client besides its replies. */
export interface ClientHeader {
  readonly client: string;
  /** Timestamps up to this one have left its window; −1 for none. */
  readonly forgotten: number;
  /** Where it executed last: the order of these decides who leaves a full table. */
  readonly lastSequence: SequenceNumber;
  readonly lastIndex: number;
}

/** What has changed in the reply cache since its changes were last taken; `undefined` is no longer there. */
export interface ReplyChanges {
  readonly headers: ReadonlyMap<string, ClientHeader | undefined>;
  /** By client, then by sequence number. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<SequenceNumber, ReplyGroup | undefined>>;
}

/** The whole reply cache, as a checkpoint holds it. */
export interface ReplyTable {
  readonly headers: readonly ClientHeader[];
  readonly groups: readonly ReplyGroup[];
}

/**
 * What the host must do, in this order, before it steps the core again or at least before anything of a later step
 * becomes visible outside.
 */
export type Effect =
  /**
   * Write to the log. A word of our own must be durable, with all that was persisted before it, before any later `broadcast` or
   * `reply` is sent; what others said may wait for our next own word (rule 27).
   */
  | { readonly kind: 'persist'; readonly message: ReplicaMessage | CommittedCertificate }
  /** Sign (if it is our own) and publish to every replica. */
  | { readonly kind: 'broadcast'; readonly message: ReplicaMessage }
  /** The batch was executed: the log may record it, watchers may show it. */
  | { readonly kind: 'executed'; readonly sequence: SequenceNumber; readonly batch: Batch }
  /** Sign the replies' statement and publish `items` to the gateway. */
  | {
      readonly kind: 'reply';
      readonly gateway: string;
      readonly replies: BatchReplies;
      readonly items: readonly Executed[];
    }
  /** The same for requests that were executed before: all of one statement. */
  | { readonly kind: 'reply-again'; readonly gateway: string; readonly replies: readonly CachedReply[] }
  /** Pass requests on to the primary, who seems not to know them (rule 14). */
  | { readonly kind: 'forward'; readonly bundles: readonly RequestBundle[] }
  /** h has moved: what the log holds up to here is no longer needed for agreement. */
  | { readonly kind: 'stable'; readonly checkpoint: StableCheckpoint }
  /**
   * Ask a peer for the batch with this digest, which the new view orders (rule 20) or the primary has proposed (rule 31), and of which we lack
   * something: `from` has it; without it, one peer after the other is asked.
   */
  | {
      readonly kind: 'fetch-batch';
      readonly sequence: SequenceNumber;
      readonly digest: Digest;
      readonly from?: ReplicaIndex;
    }
  /**
   * Get the state with this checkpoint digest, for which at least f+1 replicas vouch: what is between us and it may not
   * be had otherwise (rule 25), or our own state is corrupt (rule 26). Said again until a `state` input brings it.
   */
  | {
      readonly kind: 'fetch-state';
      readonly sequence: SequenceNumber;
      readonly digest: Digest;
      /** Those who vouch for it. */
      readonly holders: readonly ReplicaIndex[];
    }
  /** We entered a view, or began to ask for one: shown to operators. */
  | { readonly kind: 'view'; readonly view: View; readonly isChanging: boolean }
  /** Our state differs from what q replicas have: we stop voting and say so (rule 26). */
  | { readonly kind: 'corrupt'; readonly sequence: SequenceNumber }
  /** Count it; nothing else happens. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly replica?: ReplicaIndex }
  /** Two validly signed messages that contradict each other: keep them, count them, show them (rule 4). */
  | { readonly kind: 'evidence'; readonly first: PhaseMessage; readonly second: PhaseMessage };

/**
 * The replicated service as the core sees it: a function of its inputs, called in the total order. It does no I/O and
 * knows no clock; the host puts the user's state machine behind it.
 */
export interface Application {
  /** Executes one request. `resultDigest` is SHA-256 of `result`. */
  execute(
    request: Request,
    context: { readonly sequence: SequenceNumber; readonly time: number },
  ): { readonly result: Uint8Array; readonly resultDigest: Digest };
  /**
   * A batch is executed, and has changed the reply cache so. What the next checkpoint's digest needs can be done ahead: it is due after so many
   * further batches, with 0 at once.
   */
  afterBatch(replies: ReplyChanges, untilCheckpoint: number): void;
  /**
   * Takes a checkpoint: the state as it is after `sequence` and the agreed time can from now on be handed to others.
   * @returns the digest of everything that executing has brought about: the state, the reply cache, and the time
   */
  checkpoint(sequence: SequenceNumber, time: number): Digest;
}
