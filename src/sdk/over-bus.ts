import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterClient, ClusterStatus, QueryAnswer } from '../client/cluster-client.js';
import { Feed } from '../client/feed.js';
import { parseMembership, type MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
import type { ReceiptSummary } from '../crypto/verify-receipt.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import { checkDeadline, checkIdempotencyKey, deadlineDefaultMs, textOf } from './calls.js';
import {
  QuorateClient,
  type CallOptions,
  type ClusterEvent,
  type EventsOptions,
  type QueryCallOptions,
  type SubmitCallOptions,
} from './client.js';
import { checkAfter } from './event-feed.js';
import { followFeed } from './feed-events.js';
import { signedOperation } from './signing.js';
import { ReceiptChecker } from './receipts.js';

const backoffBaseMs = 25;
const backoffMaxMs = 1_000;

/**
 * A client of the bus in the form of the SDK.
 * @param stop lets go of it and of what it stands on
 * @param deadlineMs for calls that name none
 */
export function overBus(
  client: ClusterClient,
  stop: () => Promise<void>,
  deadlineMs = deadlineDefaultMs,
): BusSdkClient {
  return new OverBus(client, stop, deadlineMs);
}

/** Its owner may stop it in order, too. */
export interface BusSdkClient extends QuorateClient {
  /** Finishes what was accepted, within its deadlines, and then is closed. */
  stop(): Promise<void>;
}

/**
 * The client below sends again what is under way, collects f+1 replies and verifies them. What is added here: waiting out that there is no
 * connection or no place, deadlines for all, and the way of giving up.
 */
class OverBus extends QuorateClient implements BusSdkClient {
  private readonly receipts: ReceiptChecker;
  private readonly feed: Feed;
  private readonly closing = new AbortController();

  constructor(
    private readonly client: ClusterClient,
    private readonly release: () => Promise<void>,
    private readonly deadlineMs: number,
  ) {
    super();
    this.feed = new Feed(client);
    this.receipts = new ReceiptChecker(parseMembership(client.membership()));
  }

  override get membership(): MembershipDocument {
    return this.receipts.document;
  }

  override submit(operation: Json, options: SubmitCallOptions = {}): Promise<Reply> {
    return this.call(options, (deadlineMs) => {
      textOf(operation);
      const { signWith, idempotencyKey } = options;
      if (idempotencyKey !== undefined) checkIdempotencyKey(idempotencyKey);
      if (signWith === undefined) return this.client.submit(operation, { idempotencyKey, deadlineMs });
      const executedUnder = idempotencyKey ?? randomUUID();
      const signing = { signWith, executedUnder, genesisDigest: this.receipts.genesisDigest };
      const signed = signedOperation(operation, { ...signing, deadlineMs, status: this.client.status() });
      return this.client.submit(signed, { idempotencyKey: executedUnder, deadlineMs });
    });
  }

  override query(key: string, options: QueryCallOptions = {}): Promise<QueryAnswer> {
    const { consistency = 'linearizable' } = options;
    return this.call(options, (deadlineMs) => this.client.query({ op: 'get', key }, consistency, deadlineMs));
  }

  override events({ after, signal }: EventsOptions = {}): AsyncIterableIterator<ClusterEvent> {
    this.closing.signal.throwIfAborted();
    checkAfter(after);
    const ended = signal === undefined ? this.closing.signal : AbortSignal.any([this.closing.signal, signal]);
    return followFeed(this.feed, after ?? this.feed.reached, ended);
  }

  override verifyReceipt(receipt: string | object): ReceiptSummary {
    return this.receipts.check(receipt);
  }

  override prove(key: string, options: CallOptions = {}): Promise<StateProof> {
    return this.call(options, async (deadlineMs) => {
      const proof = await this.client.prove(key, deadlineMs); // which has verified it
      if (proof === undefined) throw new QuorateError('not-found', 'no checkpoint is stable yet');
      return proof;
    });
  }

  override verifyStateProof(proof: string | object): StateProofSummary {
    return this.receipts.checkState(proof);
  }

  override status(options: CallOptions = {}): Promise<ClusterStatus> {
    return this.call(options, () => Promise.resolve(this.client.status()));
  }

  override close(): Promise<void> {
    this.closing.abort(new QuorateError('shutting-down', 'the client was closed'));
    return this.release();
  }

  async stop(): Promise<void> {
    await this.release();
    await this.close();
  }

  /** @param ask gets the milliseconds that are left */
  private async call<T>(options: CallOptions, ask: (deadlineMs: number) => Promise<T>): Promise<T> {
    const { deadlineMs = this.deadlineMs, signal } = options;
    checkDeadline(deadlineMs);
    const ended = signal === undefined ? this.closing.signal : AbortSignal.any([this.closing.signal, signal]);
    return await unlessAborted(ended, () => patiently(deadlineMs, ended, ask));
  }
}

/** Asks again, ever more rarely, while nothing was sent because there was no connection or no place: that is safe without a key. */
async function patiently<T>(deadlineMs: number, ended: AbortSignal, ask: (leftMs: number) => Promise<T>): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(Math.max(1, Math.round(until - performance.now())));
    } catch (error) {
      const waitMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
      if (!wasNotSent(error) || performance.now() + waitMs >= until) throw error;
      await delay(waitMs, undefined, { signal: ended });
    }
  }
}

function wasNotSent(error: unknown): boolean {
  if (!(error instanceof QuorateError) || error.details['mayStillCommit'] === true) return false;
  return error.code === 'overloaded' || error.code === 'bus-unavailable';
}

async function unlessAborted<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([call(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
