import type { RefusalReason } from '../pbft/refusal.js';
import type { Digest, ReplicaIndex, SequenceNumber } from '../pbft/types.js';
import type { Publication } from '../ports/bus.js';
import type { Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { packets } from '../wire/packets.js';
import { decodeFetchBatch, encodeCheckpoint, encodeFetchBatch } from '../wire/views.js';
import type { Answers } from './answers.js';
import type { BatchBook } from './batch-book.js';
import type { Host } from './host.js';

export interface BatchExchangeOptions {
  readonly self: number;
  readonly n: number;
  readonly sealer: Sealer;
  readonly batches: BatchBook;
  readonly answers: Answers;
  readonly announce: (publications: readonly Publication[]) => void;
}

/** Asks peers for batches that are ordered or proposed and not whole here, and gives them what they ask for (rules 20, 31). */
export class BatchExchange {
  private target = 0;

  constructor(private readonly options: BatchExchangeOptions) {}

  /** Asks `from`, or else one replica after the other, a new one each time. */
  ask(place: SequenceNumber, digest: Digest, from?: ReplicaIndex): void {
    const { n, self, sealer, announce } = this.options;
    if (from === undefined) this.target = (this.target + 1) % n;
    if (this.target === self) this.target = (this.target + 1) % n;
    const body = encodeFetchBatch({ target: from ?? this.target, sequence: place, digest });
    announce(packets('state', [sealer.seal('fetch-batch', body)]));
  }

  onFetch(frame: Frame, { replica }: Host): RefusalReason | undefined {
    const { self, sealer, batches, answers } = this.options;
    const wanted = decoded(() => decodeFetchBatch(frame.body));
    if (wanted === 'malformed-frame') return wanted;
    if (wanted.target !== self) return undefined;
    const batch = replica.batchOf(wanted.sequence, wanted.digest);
    if (batch === undefined) return undefined;
    const reason = answers.screen(frame);
    if (reason !== undefined) return reason;
    const answer = sealer.seal('batch', encodeCheckpoint(wanted), batches.encode(batch));
    answers.send(frame.signer, 'state', [answer]);
    return undefined;
  }
}
