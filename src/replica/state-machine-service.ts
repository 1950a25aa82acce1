import { sha256 } from '../crypto/digest.js';
import type { Request } from '../pbft/messages.js';
import type { Digest, SequenceNumber } from '../pbft/types.js';
import { answerQuery, executeOperation, validOperation, type OnDefect } from '../state-machine/execute.js';
import { MerkleState } from '../state-machine/merkle-state.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import type { Service } from './service.js';

/** A user's state machine over a Merkle state, as the protocol wants it. */
export class StateMachineService implements Service {
  private readonly state = new MerkleState();

  constructor(
    private readonly machine: StateMachine<unknown>,
    /** Told what the state machine must not do. */
    private readonly onDefect: OnDefect,
  ) {}

  execute(
    { client, operation }: Request,
    { sequence, time }: { readonly sequence: SequenceNumber; readonly time: number },
  ): { result: Uint8Array; resultDigest: Digest; operationDigest: Digest } {
    const result = executeOperation(this.machine, this.state, operation, { client, sequence, time }, this.onDefect);
    return { result, resultDigest: sha256(result), operationDigest: sha256(operation) };
  }

  isValidOperation(operation: Uint8Array): boolean {
    return validOperation(this.machine, operation);
  }

  query(query: Uint8Array): Uint8Array | undefined {
    return answerQuery(this.machine, this.state, query, this.onDefect);
  }

  stateDigest(): Digest {
    return this.state.digest();
  }
}
