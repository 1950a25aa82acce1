import type {
  Batch,
  Checkpoint,
  CommittedCertificate,
  NewView,
  PhaseMessage,
  Promised,
  ReplicaMessage,
  RequestBundle,
  ViewChange,
} from './messages.js';
import type { ReplyTable } from './effects.js';
import type { Digest, SequenceNumber } from './types.js';

/**
 * The application's state was replaced by the one after a checkpoint: from the replica's own store at its start, with
 * the proof that it is stable; or from peers, at least f+1 of whom vouch for the digest.
 */
export interface InstalledState {
  readonly kind: 'state';
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
  /** Agreed time of the last batch in it, milliseconds since 1970. */
  readonly time: number;
  readonly replies: ReplyTable;
  /** q CHECKPOINTs, all verified; none when the state was fetched. */
  readonly proof: readonly Checkpoint[];
}

/**
 * What may happen to a replica. Everything in it is verified: signatures are right, digests were recomputed from the
 * bytes, signers are who the message says. The core decides what it means.
 */
export type Input =
  /** A message of another replica. What is inside a VIEW-CHANGE or NEW-VIEW is verified, too: every signature. */
  | { readonly kind: 'message'; readonly message: ReplicaMessage }
  /** A gateway's bundle from the request channel. */
  | { readonly kind: 'request'; readonly bundle: RequestBundle }
  /** A committed batch that a peer handed over, because we were away when it was agreed. */
  | { readonly kind: 'certificate'; readonly certificate: CommittedCertificate }
  /** What this replica's own log holds of one sequence number above its stable checkpoint, in all views. */
  | { readonly kind: 'restore'; readonly messages: readonly PhaseMessage[] }
  /** What this replica's own log holds of checkpoints and views; all of it before the slots' messages. */
  | { readonly kind: 'restore-view'; readonly message: Checkpoint | ViewChange | NewView }
  | InstalledState
  /** A batch that we asked for by its digest, or that came our way. */
  | { readonly kind: 'batch'; readonly sequence: SequenceNumber; readonly batch: Batch }
  /** What this identity has said before its restart, told by the promises in its data folder. Nothing contradicts it. */
  | { readonly kind: 'promise'; readonly promise: Promised }
  /**
   * The highest stable checkpoint that this replica's data folder knows of, told with the promises: those at and below it
   * are forgotten, so that nothing is voted on there again, even if the log that shows the checkpoint is lost.
   */
  | { readonly kind: 'settled'; readonly sequence: SequenceNumber }
  /** Time passes. Timers stand still while we are cut off from the bus: it is not the primary's fault. `now` is this machine's clock, milliseconds since 1970: only a proposal for the batch's time. */
  | { readonly kind: 'tick'; readonly now: number; readonly isConnected: boolean };
