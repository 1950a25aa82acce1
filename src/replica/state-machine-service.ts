import { sha256 } from '../crypto/digest.js';
import type { ReplyChanges, ReplyTable } from '../pbft/effects.js';
import type { Request } from '../pbft/messages.js';
import type { Digest, SequenceNumber } from '../pbft/types.js';
import {
  answerQuery,
  decodeOperation,
  executeOperation,
  type Circumstances,
  type DecodedOperation,
  type OnDefect,
} from '../state-machine/execute.js';
import { DeterminismCheck, type Nondeterminism } from '../determinism/determinism-check.js';
import { MerkleState } from '../state-machine/merkle-state.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { CheckpointedState, type Transfer } from './checkpointed-state.js';
import { ReplyTree } from './reply-tree.js';
import type { Service } from './service.js';

/** Short results that are remembered: most operations are answered with one of a few. */
const resultsMax = 64;
const resultCharactersMax = 64;

/**
 * What is written again and again is hashed once for each checkpoint, if so much of each part may wait for it. It may not near the checkpoint,
 * which all replicas take at the same time: its digest would hold up the cluster.
 */
const unhashedMax = 1024;
/** For each batch until the checkpoint. */
const unhashedPerBatch = 32;

const utf8 = new TextEncoder();

/** Results as bytes with their digests. */
class ResultBook {
  private readonly known = new Map<string, { readonly result: Uint8Array; readonly resultDigest: Digest }>();

  of(text: string): { readonly result: Uint8Array; readonly resultDigest: Digest } {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const result = utf8.encode(text);
    const made = { result, resultDigest: sha256(result) };
    if (text.length > resultCharactersMax) return made;
    if (this.known.size >= resultsMax) this.known.clear();
    this.known.set(text, made);
    return made;
  }
}

export interface ServiceOptions {
  /** The cluster that users sign for: must be there where the machine knows of signatures. */
  readonly genesisDigest?: Uint8Array | undefined;
  /** Has every operation executed twice, and is told of those that do not come to the same. For development. */
  readonly onNondeterminism?: ((found: Nondeterminism) => void) | undefined;
}

/** A user's state machine over a Merkle state, as the protocol wants it. */
export class StateMachineService implements Service {
  private readonly state = new MerkleState();
  private readonly replies = new ReplyTree();
  readonly checkpoints = new CheckpointedState([this.state, this.replies]);
  private readonly results = new ResultBook();
  /** What executed batches have changed of the replies, and the tree does not have yet. */
  private readonly behind: ReplyChanges[] = [];
  /** Batches until the next checkpoint is due. */
  private untilCheckpoint = 0;

  readonly decodeOperation: (operation: Uint8Array) => DecodedOperation | undefined;
  private readonly check: DeterminismCheck | undefined;

  constructor(
    private readonly machine: StateMachine<unknown>,
    /** Told what the state machine must not do. */
    private readonly onDefect: OnDefect,
    { genesisDigest, onNondeterminism }: ServiceOptions = {},
  ) {
    if (machine.signatures !== undefined && genesisDigest === undefined) {
      throw new TypeError('what users have signed can be checked only for a cluster');
    }
    this.decodeOperation = (operation) => decodeOperation(machine, operation, genesisDigest);
    this.check =
      onNondeterminism === undefined
        ? undefined
        : new DeterminismCheck(machine, this.decodeOperation, onNondeterminism);
  }

  execute(
    request: Request,
    { sequence, time }: { readonly sequence: SequenceNumber; readonly time: number },
  ): { result: Uint8Array; resultDigest: Digest } {
    const { client, timestamp, digest: requestDigest } = request;
    return this.results.of(this.resultOf(request, { client, timestamp, sequence, time, requestDigest }));
  }

  afterBatch(replies: ReplyChanges, untilCheckpoint: number): void {
    this.behind.push(replies);
    this.untilCheckpoint = untilCheckpoint;
  }

  keepUp(): void {
    if (this.behind.length === 0) return;
    for (const changes of this.behind.splice(0)) this.replies.apply(changes);
    const left = Math.min(unhashedMax, unhashedPerBatch * this.untilCheckpoint);
    for (const { map } of this.checkpoints.parts) map.hashAhead(left);
  }

  checkpoint(sequence: SequenceNumber, time: number): Digest {
    this.keepUp();
    return this.checkpoints.freeze(sequence, time).digest;
  }

  install(transfer: Transfer): void {
    this.keepUp();
    this.checkpoints.install(transfer);
  }

  replyTable(): ReplyTable {
    this.keepUp();
    return this.replies.table();
  }

  query(query: Uint8Array): Uint8Array | undefined {
    return answerQuery(this.machine, this.state, query, this.onDefect);
  }

  stateDigest(): Digest;
  stateDigest(changesMax: number): Digest | undefined;
  stateDigest(changesMax = Infinity): Digest | undefined {
    return this.state.map.changedBuckets > changesMax ? undefined : this.state.digest();
  }

  private resultOf(request: Request, circumstances: Circumstances): string {
    const { check, machine, state, onDefect } = this;
    const decoded = request.decoded as DecodedOperation | undefined;
    request.decoded = undefined;
    if (check !== undefined) return check.execute(state, request.operation, circumstances, onDefect);
    return executeOperation(
      machine,
      state,
      decoded ?? this.decodeOperation(request.operation),
      circumstances,
      onDefect,
    );
  }
}
