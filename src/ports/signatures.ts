import type { ReplicaIndex } from '../pbft/types.js';
import type { Credential } from '../wire/credential.js';

/** Signs with the key of this process's identity. */
export interface Signer {
  /** @returns 64 bytes. */
  sign(message: Uint8Array): Buffer;
  /**
   * 32 bytes that nobody else can tell, always the same for one statement, also in a later process: to be told when the statement is made
   * (wire/pledges.ts).
   */
  openingOf(statement: Uint8Array): Buffer;
}

/** Verifies what others have signed, by the membership. */
export interface Verifier {
  verifyReplica(replica: ReplicaIndex, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether the authority admitted the gateway and the gateway signed the message. */
  verifyGateway(credential: Credential, message: Uint8Array, signature: Uint8Array): boolean;
}
