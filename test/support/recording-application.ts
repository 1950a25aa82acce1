import { createHash } from 'node:crypto';
import type { Application, ReplyChanges } from '../../src/pbft/effects.js';
import type { Request } from '../../src/pbft/messages.js';
import { digest, type Digest, type SequenceNumber } from '../../src/pbft/types.js';

/** One execution, as the application saw it. */
export interface Execution {
  readonly client: string;
  readonly timestamp: number;
  readonly sequence: number;
  /** Agreed time, milliseconds since 1970. */
  readonly time: number;
}

/** A service that remembers what it was asked to do. Its state is a digest of the whole history. */
export class RecordingApplication implements Application {
  readonly executions: Execution[] = [];
  state: Digest = digest('nothing');
  /** What it was told after each batch: how many are left until a checkpoint. */
  readonly untilCheckpoint: number[] = [];

  constructor(private readonly resultOf: (request: Request) => Uint8Array = (request) => request.operation) {}

  execute(request: Request, { sequence, time }: { readonly sequence: SequenceNumber; readonly time: number }) {
    this.executions.push({ client: request.client, timestamp: request.timestamp, sequence, time });
    this.state = digestOf(`${this.state} ${request.digest} ${sequence} ${time}`);
    const result = this.resultOf(request);
    return { result, resultDigest: digest(`result ${this.state}`) };
  }

  /** Its state is hashed as it goes; replies are not part of it. */
  afterBatch(_replies: ReplyChanges, untilCheckpoint: number): void {
    this.untilCheckpoint.push(untilCheckpoint);
  }

  checkpoint(sequence: SequenceNumber): Digest {
    return digestOf(`${this.state} after ${sequence}`);
  }

  /** What was executed, as `client#timestamp`, in order. */
  get history(): readonly string[] {
    return this.executions.map(({ client, timestamp }) => `${client}#${timestamp}`);
  }
}

function digestOf(text: string): Digest {
  return digest(createHash('sha256').update(text).digest('hex'));
}
