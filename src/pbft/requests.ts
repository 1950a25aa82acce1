import { limits } from './configuration.js';
import type { ClientTable } from './client-table.js';
import type { Batch, RequestBundle } from './messages.js';
import type { RefusalReason } from './refusal.js';
import { RequestMap } from './request-map.js';
import type { Digest, SequenceNumber } from './types.js';

/** A bundle that we know of, until its requests are executed. */
interface Known {
  readonly bundle: RequestBundle;
  /** The tick at which we learnt of it. */
  readonly since: number;
  /** Whether it has a place in the order of this view. */
  isOrdered: boolean;
}

/**
 * Requests on their way to execution: bundles that wait for a place in the order, and which requests have one already.
 * Shared by the primary, who fills batches from it, and the backups, who judge the primary's batches with it (rule 10)
 * and lose their patience with it (rule 14).
 */
export class Requests {
  /** By age, oldest first. */
  private readonly known = new Map<Digest, Known>();
  private knownBytes = 0;
  private waiting = 0;
  private waitingOperationsCount = 0;
  /** Bundles that were forgotten because others had their requests executed: whoever sent them has no answer yet. */
  private overtaken: RequestBundle[] = [];
  /** Requests in accepted, not yet executed batches. */
  private readonly ordered = new RequestMap<SequenceNumber>();

  constructor(private readonly clients: ClientTable) {}

  /** Bundles that have no place in the order yet. */
  get waitingCount(): number {
    return this.waiting;
  }

  /** The operations in these. */
  get waitingOperations(): number {
    return this.waitingOperationsCount;
  }

  /** The oldest bundles without a place in the order. */
  waitingBundles(most: number): RequestBundle[] {
    const waiting = [...this.known.values()].filter(({ isOrdered }) => !isOrdered);
    return waiting.slice(0, most).map(({ bundle }) => bundle);
  }

  /** Lets a verified bundle wait. */
  admit(bundle: RequestBundle, tick: number, lastExecuted: SequenceNumber): RefusalReason | undefined {
    if (this.known.has(bundle.digest)) return 'duplicate';
    if (!ascends(bundle, new Map())) return 'request-out-of-order'; // no primary could order it
    if (clientsWith(new Map(), bundle) > limits.batchClientsMax) return 'too-many-clients'; // nor this one
    // What no primary could order yet would only take the room of what it can: nothing would then be ordered, for ever.
    if (bundle.lastSequence > lastExecuted + limits.bundleLifetime) return 'expired-request';
    if (this.known.size >= limits.waitingBundlesMax) return 'buffer-full';
    if (this.knownBytes + bundle.size > limits.waitingBytesMax) return 'buffer-full';
    this.add(bundle, tick, false);
    return undefined;
  }

  /**
   * For how many ticks the oldest request waits that could still be executed; `undefined` when none does. Bundles whose
   * requests are all executed, or that can no longer be ordered, are forgotten.
   */
  oldestWait(tick: number, lastExecuted: SequenceNumber): number | undefined {
    for (const { bundle, since } of this.known.values()) {
      const isFresh = bundle.requests.some((request) => this.clients.standing(request) === 'fresh');
      if (isFresh && bundle.lastSequence > lastExecuted) return tick - since;
      if (!isFresh) this.overtaken.push(bundle);
      this.forget(bundle);
    }
    return undefined;
  }

  /**
   * Takes from the waiting bundles, oldest first, what the next batch at `sequence` shall hold: at most `operationsMax`
   * operations unless a single bundle has more, each client's requests in ascending order. Bundles without a fresh
   * request, or past their last sequence number, are forgotten.
   */
  take(sequence: SequenceNumber, operationsMax: number): RequestBundle[] {
    const taken: RequestBundle[] = [];
    const newest = new Map<string, number>();
    let operations = 0;
    let bytes = 0;
    for (const { bundle, isOrdered } of this.known.values()) {
      if (isOrdered) continue;
      if (bundle.lastSequence < sequence || !this.hasFresh(bundle, sequence, newest)) {
        this.forget(bundle);
        continue;
      }
      if (taken.length > 0 && operations + bundle.requests.length > operationsMax) break;
      if (bytes + bundle.size > limits.batchBytesMax) break;
      if (clientsWith(newest, bundle) > limits.batchClientsMax) break;
      if (!ascends(bundle, newest)) continue; // it waits for the next batch
      for (const request of bundle.requests) newest.set(request.client, request.timestamp);
      operations += bundle.requests.length;
      bytes += bundle.size;
      taken.push(bundle);
    }
    return taken;
  }

  /** Bundles of which nothing is left to be executed, by other bundles' doing: each is told once. */
  takeOvertaken(): readonly RequestBundle[] {
    const { overtaken } = this;
    this.overtaken = [];
    return overtaken;
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
      // Nor for longer than the client table remembers who has executed what (rule 12).
      const isTimely = bundle.lastSequence >= sequence && bundle.lastSequence < sequence + limits.bundleLifetime;
      if (!isTimely) return 'expired-request';
      if (!ascends(bundle, newest)) return 'request-out-of-order';
      if (!this.hasFresh(bundle, sequence, newest)) return 'stale-request';
      for (const request of bundle.requests) newest.set(request.client, request.timestamp);
    }
    if (newest.size > limits.batchClientsMax) return 'too-many-clients';
    const isTooLarge = operations > limits.batchOperationsMax || bytes > limits.batchBytesMax;
    return isTooLarge ? 'batch-too-large' : undefined;
  }

  /** The batch has a place in the order now. */
  order(batch: Batch, sequence: SequenceNumber, tick: number): void {
    for (const bundle of batch.bundles) {
      const known = this.known.get(bundle.digest) ?? this.add(bundle, tick, true);
      if (!known.isOrdered) {
        known.isOrdered = true;
        this.countWaiting(bundle, -1);
      }
      for (const request of bundle.requests) this.ordered.setIfAbsent(request, sequence);
    }
  }

  /** A new view begins: nothing has a place in it yet (rule 20). */
  forgetOrder(): void {
    this.ordered.clear();
    for (const known of this.known.values()) {
      if (known.isOrdered) this.countWaiting(known.bundle, 1);
      known.isOrdered = false;
    }
  }

  /** The batch at `sequence` was executed. */
  executed(batch: Batch, sequence: SequenceNumber): void {
    for (const bundle of batch.bundles) {
      this.forget(bundle);
      for (const request of bundle.requests) this.ordered.deleteIf(request, sequence);
    }
  }

  /** Whether the bundle holds a request that is neither executed nor in an earlier batch, so that ordering it is of use. */
  private hasFresh(bundle: RequestBundle, sequence: SequenceNumber, inBatch: ReadonlyMap<string, number>): boolean {
    return bundle.requests.some((request) => {
      if (this.clients.standing(request) !== 'fresh') return false;
      if (inBatch.get(request.client) === request.timestamp) return false;
      // A later place does not count: the batch here may be judged late, and is executed before that one.
      const place = this.ordered.get(request);
      return place === undefined || place >= sequence;
    });
  }

  private add(bundle: RequestBundle, since: number, isOrdered: boolean): Known {
    const known = { bundle, since, isOrdered };
    this.known.set(bundle.digest, known);
    this.knownBytes += bundle.size;
    if (!isOrdered) this.countWaiting(bundle, 1);
    return known;
  }

  private forget(bundle: RequestBundle): void {
    const known = this.known.get(bundle.digest);
    if (known === undefined) return;
    this.known.delete(bundle.digest);
    this.knownBytes -= bundle.size;
    if (!known.isOrdered) this.countWaiting(bundle, -1);
  }

  private countWaiting(bundle: RequestBundle, sign: 1 | -1): void {
    this.waiting += sign;
    this.waitingOperationsCount += sign * bundle.requests.length;
  }
}

/** Whether the bundle goes on where the batch's earlier bundles left each client. */
function ascends({ requests }: RequestBundle, newest: ReadonlyMap<string, number>): boolean {
  const last = new Map<string, number>();
  let client: string | undefined;
  let previous = -1;
  for (const request of requests) {
    // Most bundles are of one client: what is looked up is what the last request was not about.
    if (request.client !== client) {
      if (client !== undefined) last.set(client, previous);
      client = request.client;
      previous = last.get(client) ?? newest.get(client) ?? -1;
    }
    if (request.timestamp <= previous) return false;
    previous = request.timestamp;
  }
  return true;
}

/** How many clients a batch has with this bundle. */
function clientsWith(inBatch: ReadonlyMap<string, unknown>, { requests }: RequestBundle): number {
  const more = new Set<string>();
  let previous: string | undefined;
  for (const { client } of requests) {
    if (client !== previous && !inBatch.has(client)) more.add(client);
    previous = client;
  }
  return inBatch.size + more.size;
}
