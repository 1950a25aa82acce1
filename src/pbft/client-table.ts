import { limits } from './configuration.js';
import type { BatchReplies, Executed } from './effects.js';
import type { Request } from './messages.js';
import type { SequenceNumber } from './types.js';

/** An executed request with what is needed to answer it again, receipt and all. */
export interface CachedReply {
  readonly executed: Executed;
  readonly replies: BatchReplies;
}

/** What the table knows of a request: never executed, executed, or so old that it can no longer tell. */
export type Standing = 'fresh' | 'executed' | 'stale';

/** One client's executed requests: the `limits.clientWindow` with the highest timestamps. */
class ClientRecord {
  readonly replies = new Map<number, CachedReply>();
  /** The timestamps in `replies`, ascending. */
  private readonly timestamps: number[] = [];
  /** Timestamps up to this one have left the window. */
  private forgotten = -1;
  resultBytes = 0;
  lastSequence = 0 as SequenceNumber;

  standing(timestamp: number): Standing {
    if (this.replies.has(timestamp)) return 'executed';
    return timestamp <= this.forgotten ? 'stale' : 'fresh';
  }

  add(reply: CachedReply): void {
    const { timestamp, result } = reply.executed;
    this.replies.set(timestamp, reply);
    this.resultBytes += result.length;
    this.lastSequence = reply.replies.sequence;
    let place = this.timestamps.length; // timestamps come nearly in order
    while (place > 0 && (this.timestamps[place - 1] ?? 0) > timestamp) place--;
    this.timestamps.splice(place, 0, timestamp);
    while (this.isTooLarge()) this.forgetLowest();
  }

  private isTooLarge(): boolean {
    return (
      this.timestamps.length > limits.clientWindow ||
      (this.timestamps.length > 1 && this.resultBytes > limits.clientResultBytesMax)
    );
  }

  private forgetLowest(): void {
    const lowest = this.timestamps.shift();
    if (lowest === undefined) return;
    this.forgotten = lowest;
    this.resultBytes -= this.replies.get(lowest)?.executed.result.length ?? 0;
    this.replies.delete(lowest);
  }
}

/**
 * Who has executed what, and with what result: exactly once rests on it (rule 12). A function of the executed batches
 * alone, so that it is equal at all correct replicas after the same sequence number.
 *
 * Each client has a window of timestamps, not a last one: with only a last one a primary censors a request by ordering
 * a later one first. The table is bounded: the client that executed least recently leaves, but not before every bundle
 * of its that could be replayed has expired.
 */
export class ClientTable {
  /** From the client that executed least recently to the one that executed last. */
  private readonly records = new Map<string, ClientRecord>();
  private resultBytes = 0;

  standing(request: Request): Standing {
    return this.records.get(request.client)?.standing(request.timestamp) ?? 'fresh';
  }

  /** The reply of (client, timestamp), which may belong to another operation than the one that is asked about. */
  cached(request: Request): CachedReply | undefined {
    return this.records.get(request.client)?.replies.get(request.timestamp);
  }

  add(reply: CachedReply): void {
    const { client } = reply.executed;
    const record = this.records.get(client) ?? new ClientRecord();
    this.resultBytes -= record.resultBytes;
    record.add(reply);
    this.resultBytes += record.resultBytes;
    this.records.delete(client);
    this.records.set(client, record);
    this.evict(reply.replies.sequence);
  }

  get clients(): number {
    return this.records.size;
  }

  private evict(now: SequenceNumber): void {
    for (const [client, record] of this.records) {
      const isFull = this.records.size > limits.clientsMax || this.resultBytes > limits.replyCacheBytesMax;
      if (!isFull || record.lastSequence + limits.bundleLifetime >= now) return;
      this.resultBytes -= record.resultBytes;
      this.records.delete(client);
    }
  }
}
