import { limits } from './configuration.js';
import type { ClientTable } from './client-table.js';
import type { Batch, Request, RequestBundle } from './messages.js';
import type { RefusalReason } from './refusal.js';
import type { Digest, SequenceNumber } from './types.js';

const nameOf = (request: Request): string => `${request.client}\n${request.timestamp}`;

/**
 * Requests on their way to execution: bundles that wait for a place in the order, and which requests have one already.
 * Shared by the primary, who fills batches from it, and the backups, who judge the primary's batches with it (rule 10).
 */
export class Requests {
  private readonly waiting = new Map<Digest, RequestBundle>();
  private waitingBytes = 0;
  /** Requests in accepted, not yet executed batches. */
  private readonly ordered = new Map<string, SequenceNumber>();

  constructor(private readonly clients: ClientTable) {}

  get waitingCount(): number {
    return this.waiting.size;
  }

  /** Lets a verified bundle wait. */
  admit(bundle: RequestBundle): RefusalReason | undefined {
    if (this.waiting.has(bundle.digest)) return 'duplicate';
    if (this.waiting.size >= limits.waitingBundlesMax) return 'buffer-full';
    if (this.waitingBytes + bundle.size > limits.waitingBytesMax) return 'buffer-full';
    this.waiting.set(bundle.digest, bundle);
    this.waitingBytes += bundle.size;
    return undefined;
  }

  /**
   * Takes from the waiting bundles, oldest first, what the next batch at `sequence` shall hold: at most `operationsMax`
   * operations unless a single bundle has more, each client's requests in ascending order. Bundles without a fresh
   * request, or past their last sequence number, leave the queue for good.
   */
  take(sequence: SequenceNumber, operationsMax: number): RequestBundle[] {
    const taken: RequestBundle[] = [];
    const newest = new Map<string, number>();
    let operations = 0;
    let bytes = 0;
    for (const bundle of this.waiting.values()) {
      if (bundle.lastSequence < sequence || !this.hasFresh(bundle, sequence, newest)) {
        this.drop(bundle);
        continue;
      }
      if (taken.length > 0 && operations + bundle.requests.length > operationsMax) break;
      if (bytes + bundle.size > limits.batchBytesMax) break;
      if (!ascends(bundle, newest)) continue; // it waits for the next batch
      for (const request of bundle.requests) newest.set(request.client, request.timestamp);
      operations += bundle.requests.length;
      bytes += bundle.size;
      taken.push(bundle);
      this.drop(bundle);
    }
    return taken;
  }

  /** Why a correct primary would not have proposed `batch` at `sequence`, or `undefined`. */
  judge(batch: Batch, sequence: SequenceNumber): RefusalReason | undefined {
    if (batch.bundles.length === 0) return 'empty-batch';
    const newest = new Map<string, number>();
    let operations = 0;
    let bytes = 0;
    for (const bundle of batch.bundles) {
      operations += bundle.requests.length;
      bytes += bundle.size;
      if (bundle.lastSequence < sequence) return 'expired-request';
      if (!ascends(bundle, newest)) return 'request-out-of-order';
      if (!this.hasFresh(bundle, sequence, newest)) return 'stale-request';
      for (const request of bundle.requests) newest.set(request.client, request.timestamp);
    }
    const isTooLarge = operations > limits.batchOperationsMax || bytes > limits.batchBytesMax;
    return isTooLarge ? 'batch-too-large' : undefined;
  }

  /** The batch has a place in the order now. */
  order(batch: Batch, sequence: SequenceNumber): void {
    for (const bundle of batch.bundles) {
      this.drop(bundle);
      for (const request of bundle.requests) {
        const name = nameOf(request);
        if (!this.ordered.has(name)) this.ordered.set(name, sequence);
      }
    }
  }

  /** The batch at `sequence` was executed. */
  executed(batch: Batch, sequence: SequenceNumber): void {
    for (const bundle of batch.bundles) {
      this.drop(bundle);
      for (const request of bundle.requests) {
        const name = nameOf(request);
        if (this.ordered.get(name) === sequence) this.ordered.delete(name);
      }
    }
  }

  /** Whether the bundle holds a request that is neither executed nor in another batch, so that ordering it is of use. */
  private hasFresh(bundle: RequestBundle, sequence: SequenceNumber, inBatch: ReadonlyMap<string, number>): boolean {
    return bundle.requests.some((request) => {
      if (this.clients.standing(request) !== 'fresh') return false;
      if (inBatch.get(request.client) === request.timestamp) return false;
      const place = this.ordered.get(nameOf(request));
      return place === undefined || place === sequence;
    });
  }

  private drop(bundle: RequestBundle): void {
    if (this.waiting.delete(bundle.digest)) this.waitingBytes -= bundle.size;
  }
}

/** Whether the bundle goes on where the batch's earlier bundles left each client. */
function ascends(bundle: RequestBundle, newest: ReadonlyMap<string, number>): boolean {
  const last = new Map<string, number>();
  return bundle.requests.every(({ client, timestamp }) => {
    const previous = last.get(client) ?? newest.get(client) ?? -1;
    last.set(client, timestamp);
    return timestamp > previous;
  });
}
