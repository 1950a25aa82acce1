import { digest, sequence, type Digest, type ReplicaIndex, type SequenceNumber, type View } from './types.js';

/** One client's request for one operation (paper §4.1: ⟨REQUEST, o, t, c⟩). */
export interface Request {
  readonly client: string;
  /** Chosen by the client; (client, timestamp) names the request for ever. */
  readonly timestamp: number;
  /** The operation's canonical bytes; the protocol never looks inside. */
  readonly operation: Uint8Array;
  /** SHA-256 over `operation`. */
  readonly operationDigest: Digest;
  /** SHA-256 over client, timestamp and `operationDigest`. */
  readonly digest: Digest;
  /**
   * What the application made of the operation when it found it valid, until it executes it, which it does not do twice with the same: it
   * may change what is in it. The protocol never looks inside.
   */
  decoded?: unknown;
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
  /** Empty in the null batch alone, which a new view orders where nothing can have committed (paper §4.4). */
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
  /** The batch with this digest; `undefined` while only the digest is known: inside view changes, and where we lack a bundle that was named. */
  batch: Batch | undefined;
}

export interface Prepare extends Vote {
  readonly kind: 'prepare';
}

export interface Commit extends Vote {
  readonly kind: 'commit';
}

/** The three phases of the normal case (paper §4.2). */
export type PhaseMessage = PrePrepare | Prepare | Commit;

/** A replica's word on its state after a sequence number (paper §4.3). */
export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly sequence: SequenceNumber;
  /** Digest of the state, reply cache included. */
  readonly digest: Digest;
  readonly replica: ReplicaIndex;
}

/** A sequence number with q matching CHECKPOINTs of distinct replicas; none are needed for 0, where all begin. */
export interface StableCheckpoint {
  readonly sequence: SequenceNumber;
  readonly proof: readonly Checkpoint[];
}

/**
 * The proof that a batch was prepared: a PRE-PREPARE and q−1 matching PREPAREs of distinct backups (paper §4.2). Two
 * certificates for one view and sequence number have one digest, since their signers share a correct replica.
 */
export interface PreparedCertificate {
  readonly prePrepare: PrePrepare;
  readonly prepares: readonly Prepare[];
}

/** ⟨VIEW-CHANGE, v+1, n, C, P, i⟩ (paper §4.4). */
export interface ViewChange {
  readonly kind: 'view-change';
  /** The view to go to. */
  readonly view: View;
  readonly replica: ReplicaIndex;
  readonly stable: StableCheckpoint;
  /** For each sequence number above `stable` that prepared at the sender: the certificate of the highest view, whole. */
  readonly prepared: readonly PreparedCertificate[];
}

/** ⟨NEW-VIEW, v+1, V, O⟩ (paper §4.4). */
export interface NewView {
  readonly kind: 'new-view';
  readonly view: View;
  readonly replica: ReplicaIndex;
  /** V: q VIEW-CHANGEs of distinct replicas. */
  readonly viewChanges: readonly ViewChange[];
  /** O: what follows from V, signed by the new primary. */
  readonly prePrepares: readonly PrePrepare[];
}

export type ReplicaMessage = PhaseMessage | Checkpoint | ViewChange | NewView;

/** What a vote binds its signer to: never another digest for the same kind, view and sequence number. */
export interface Promised {
  /** `view-change`: nothing of a view below `view` is said any more (rule 18); `sequence` and `digest` are 0. */
  readonly kind: PhaseMessage['kind'] | 'view-change';
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

const noDigest = digest('0'.repeat(64));

/** The promise that nothing of a lower view is said any more. */
export function promisedView(asked: View): Promised {
  return { kind: 'view-change', view: asked, sequence: sequence(0), digest: noDigest };
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
