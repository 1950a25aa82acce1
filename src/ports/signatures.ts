import type { ReplicaIndex } from '../pbft/types.js';
import type { Credential } from '../wire/credential.js';

/** Signs with the key of this process's identity. */
export interface Signer {
  /** @returns 64 bytes. */
  sign(message: Uint8Array): Buffer;
}

/** Verifies what others have signed, by the membership. */
export interface Verifier {
  verifyReplica(replica: ReplicaIndex, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether the authority admitted the gateway and the gateway signed the message. */
  verifyGateway(credential: Credential, message: Uint8Array, signature: Uint8Array): boolean;
}

/**
 * The keys that this replica shares with each of the others, one for each direction (session keys, OSDI '99 §5.2). What they vouch for is
 * known to these two alone: nobody else can be shown it.
 */
export interface SessionKeys {
  /** A MAC over the message for one of the others. @returns `tagBytes` bytes */
  tagFor(to: ReplicaIndex, message: Uint8Array): Buffer;
  /** Whether `from`, and nobody else, has made this MAC over the message, for us. */
  fits(from: ReplicaIndex, message: Uint8Array, tag: Uint8Array): boolean;
}

/** Bytes of one MAC: to guess one of 128 bits takes more tries than anybody can send. */
export const tagBytes = 16;
