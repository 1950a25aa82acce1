import type { Digest } from '../pbft/types.js';
import type { Application } from '../pbft/effects.js';

/** The replicated service as the host sees it: the core's application, and what is asked of it without ordering. */
export interface Service extends Application {
  /** Whether these are the bytes of an operation that the state machine takes. */
  isValidOperation(operation: Uint8Array): boolean;
  /** Answers a question; `undefined` when there is no such thing. */
  query(query: Uint8Array): Uint8Array | undefined;
  /** Digest of the state after the last executed batch. */
  stateDigest(): Digest;
}
