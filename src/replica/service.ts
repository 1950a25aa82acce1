import type { Digest } from '../pbft/types.js';
import type { Application, ReplyTable } from '../pbft/effects.js';
import type { CheckpointedState, Transfer } from './checkpointed-state.js';

/** The replicated service as the host sees it: the core's application, and what is asked of it without ordering. */
export interface Service extends Application {
  /** Its state, and the reply cache beside it, as checkpoints hold them. */
  readonly checkpoints: CheckpointedState;
  /**
   * Does what executed batches have left to be done, and no reply has to wait for. To be called once their replies are on their way; until
   * then the reply cache lags behind, but never in a checkpoint.
   */
  keepUp(): void;
  /** Becomes what a checkpoint held. */
  install(transfer: Transfer): void;
  /** The reply cache as its last checkpoint holds it, for the core. */
  replyTable(): ReplyTable;
  /** The operation in these bytes, for `execute` to take from its request; `undefined` when the state machine does not take it. */
  decodeOperation(operation: Uint8Array): unknown;
  /** Answers a question; `undefined` when there is no such thing. */
  query(query: Uint8Array): Uint8Array | undefined;
  /** Digest of the state after the last executed batch. */
  stateDigest(): Digest;
  /** The same, unless more buckets than this have changed since it was last computed. */
  stateDigest(changesMax: number): Digest | undefined;
}
