import { sha256 } from '../crypto/digest.js';
import type { Request } from '../pbft/messages.js';
import { digest as asDigest, type Digest, type SequenceNumber } from '../pbft/types.js';
import { answerQuery, executeOperation, validOperation, type OnDefect } from '../state-machine/execute.js';
import { MerkleState } from '../state-machine/merkle-state.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { Writer } from '../wire/bytes.js';
import type { Service } from './service.js';

const checkpointDomain = Buffer.from('quorate/1/checkpoint\0', 'ascii');
const noDigest = asDigest('0'.repeat(64));

/** A user's state machine over a Merkle state, as the protocol wants it. */
export class StateMachineService implements Service {
  private readonly state = new MerkleState();
  /** A chain over every executed request and its result: what the reply cache is made of. */
  private history: Digest = noDigest;

  constructor(
    private readonly machine: StateMachine<unknown>,
    /** Told what the state machine must not do. */
    private readonly onDefect: OnDefect,
  ) {}

  execute(
    { client, operation, digest }: Request,
    { sequence, time }: { readonly sequence: SequenceNumber; readonly time: number },
  ): { result: Uint8Array; resultDigest: Digest; operationDigest: Digest } {
    const result = executeOperation(this.machine, this.state, operation, { client, sequence, time }, this.onDefect);
    const resultDigest = sha256(result);
    this.history = sha256(Buffer.from(`${this.history}${digest}${resultDigest}`, 'hex'));
    return { result, resultDigest, operationDigest: sha256(operation) };
  }

  checkpoint(sequence: SequenceNumber): Digest {
    const bytes = new Writer().raw(checkpointDomain).u64(sequence).digest(this.stateDigest()).digest(this.history);
    return sha256(bytes.done());
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
