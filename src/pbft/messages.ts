import type { Digest, ReplicaIndex, SequenceNumber, View } from './types.js';

/** One client's request for one operation (paper §4.1: ⟨REQUEST, o, t, c⟩). */
export interface Request {
  readonly client: string;
  /** Chosen by the client; (client, timestamp) names the request for ever. */
  readonly timestamp: number;
  /** The operation's canonical bytes; the protocol never looks inside. */
  readonly operation: Uint8Array;
  /** SHA-256 over client, timestamp and the operation's digest. */
  readonly digest: Digest;
}

/**
 * The requests that one gateway signed together. A primary orders a bundle whole and in its own order or not at all,
 * so that it can neither drop half of it nor re-order it unnoticed (rule 10).
 */
export interface RequestBundle {
  /** The gateway that signed it and gets the replies. */
  readonly gateway: string;
  /** The last sequence number at which it may be ordered: what limits how long a replay could do harm. */
  readonly lastSequence: SequenceNumber;
  readonly requests: readonly Request[];
  /** SHA-256 over the signed bytes. */
  readonly digest: Digest;
  /** Encoded size in bytes. */
  readonly size: number;
}

/** What a primary proposes for one sequence number. */
export interface Batch {
  /** The view in which it was first proposed; later views carry the batch over unchanged. */
  readonly view: View;
  /** Agreed time, milliseconds since 1970 (rule 11). */
  readonly time: number;
  readonly bundles: readonly RequestBundle[];
  /** SHA-256 over the batch's bytes, as computed from the bytes that were received. */
  readonly digest: Digest;
}

interface Vote {
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
  /** Its signer. */
  readonly replica: ReplicaIndex;
}

export interface PrePrepare extends Vote {
  readonly kind: 'pre-prepare';
  readonly batch: Batch;
}

export interface Prepare extends Vote {
  readonly kind: 'prepare';
}

export interface Commit extends Vote {
  readonly kind: 'commit';
}

/** The three phases of the normal case (paper §4.2). */
export type PhaseMessage = PrePrepare | Prepare | Commit;

export type ReplicaMessage = PhaseMessage;

/** What a vote binds its signer to: never another digest for the same kind, view and sequence number. */
export interface Promised {
  readonly kind: PhaseMessage['kind'];
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

/**
 * A batch with the proof that it was committed: q COMMITs of distinct replicas for the same view, sequence and digest,
 * all verified, and the batch has that digest. At least f+1 of the signers are correct and were prepared, so no other
 * batch can ever commit at this sequence number (paper §4.2, the invariant behind committed-local).
 */
export interface CommittedCertificate {
  readonly kind: 'certificate';
  readonly batch: Batch;
  readonly commits: readonly Commit[];
}
