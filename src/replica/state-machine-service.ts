import { sha256 } from '../crypto/digest.js';
import type { ReplyChanges, ReplyTable } from '../pbft/effects.js';
import type { Request } from '../pbft/messages.js';
import type { Digest, SequenceNumber } from '../pbft/types.js';
import { answerQuery, executeOperation, validOperation, type OnDefect } from '../state-machine/execute.js';
import { MerkleState } from '../state-machine/merkle-state.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { CheckpointedState, type Transfer } from './checkpointed-state.js';
import { ReplyTree } from './reply-tree.js';
import type { Service } from './service.js';

/** A user's state machine over a Merkle state, as the protocol wants it. */
export class StateMachineService implements Service {
  private readonly state = new MerkleState();
  private readonly replies = new ReplyTree();
  readonly checkpoints = new CheckpointedState([this.state, this.replies]);

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

  checkpoint(sequence: SequenceNumber, time: number, replies: ReplyChanges): Digest {
    this.replies.apply(replies);
    return this.checkpoints.freeze(sequence, time).digest;
  }

  install(transfer: Transfer): void {
    this.checkpoints.install(transfer);
  }

  replyTable(): ReplyTable {
    return this.replies.table();
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
