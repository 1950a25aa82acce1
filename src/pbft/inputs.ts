import type { CommittedCertificate, PhaseMessage, Promised, RequestBundle } from './messages.js';

/**
 * What may happen to a replica. Everything in it is verified: signatures are right, digests were recomputed from the
 * bytes, signers are who the message says. The core decides what it means.
 */
export type Input =
  /** A phase message of another replica. */
  | { readonly kind: 'message'; readonly message: PhaseMessage }
  /** A gateway's bundle from the request channel. */
  | { readonly kind: 'request'; readonly bundle: RequestBundle }
  /** A committed batch that a peer handed over, because we were away when it was agreed. */
  | { readonly kind: 'certificate'; readonly certificate: CommittedCertificate }
  /** A message out of this replica's own log, read at its start before anything else; its own ones among them. */
  | { readonly kind: 'restore'; readonly message: PhaseMessage }
  /** What this identity has said before its restart, told by the promises in its data folder. Nothing contradicts it. */
  | { readonly kind: 'promise'; readonly promise: Promised }
  /** Time passes. `now` is this machine's clock, milliseconds since 1970: only a proposal for the batch's time. */
  | { readonly kind: 'tick'; readonly now: number };
