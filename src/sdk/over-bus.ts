import { randomUUID } from 'node:crypto';
import type { ClusterClient, ClusterStatus, QueryAnswer } from '../client/cluster-client.js';
import { Feed } from '../client/feed.js';
import { parseMembership, type MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof, StateProofSummary } from '../crypto/state-proof.js';
import type { ReceiptSummary } from '../crypto/verify-receipt.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
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

/** How long a signature holds, but for its grace, where the call names no deadline, milliseconds. */
const deadlineDefaultMs = 30_000;

/** A client of the bus in the form of the SDK. `stop` lets go of it and of what it stands on. */
export function overBus(client: ClusterClient, stop: () => Promise<void>): QuorateClient {
  return new OverBus(client, stop);
}

/** It sends again, collects f+1 replies and verifies them itself: what is added here is the way of giving up. */
class OverBus extends QuorateClient {
  private readonly receipts: ReceiptChecker;
  private readonly feed: Feed;
  private readonly closing = new AbortController();

  constructor(
    private readonly client: ClusterClient,
    private readonly stop: () => Promise<void>,
  ) {
    super();
    this.feed = new Feed(client);
    this.receipts = new ReceiptChecker(parseMembership(client.membership()));
  }

  override get membership(): MembershipDocument {
    return this.receipts.document;
  }

  override submit(operation: Json, options: SubmitCallOptions = {}): Promise<Reply> {
    const { deadlineMs, signal, signWith } = options;
    return unlessAborted(signal, () => {
      if (signWith === undefined) {
        return this.client.submit(operation, { idempotencyKey: options.idempotencyKey, deadlineMs });
      }
      const { idempotencyKey = randomUUID() } = options;
      const signing = { signWith, executedUnder: idempotencyKey, genesisDigest: this.receipts.genesisDigest };
      const holdsMs = deadlineMs ?? deadlineDefaultMs;
      const signed = signedOperation(operation, { ...signing, deadlineMs: holdsMs, status: this.client.status() });
      return this.client.submit(signed, { idempotencyKey, deadlineMs });
    });
  }

  override query(key: string, options: QueryCallOptions = {}): Promise<QueryAnswer> {
    const { consistency = 'linearizable', deadlineMs, signal } = options;
    return unlessAborted(signal, () => this.client.query({ op: 'get', key }, consistency, deadlineMs));
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

  override prove(key: string, { deadlineMs, signal }: CallOptions = {}): Promise<StateProof> {
    return unlessAborted(signal, async () => {
      const proof = await this.client.prove(key, deadlineMs); // which has verified it
      if (proof === undefined) throw new QuorateError('not-found', 'no checkpoint is stable yet');
      return proof;
    });
  }

  override verifyStateProof(proof: string | object): StateProofSummary {
    return this.receipts.checkState(proof);
  }

  override status({ signal }: CallOptions = {}): Promise<ClusterStatus> {
    return unlessAborted(signal, () => Promise.resolve(this.client.status()));
  }

  override close(): Promise<void> {
    this.closing.abort(new QuorateError('shutting-down', 'the client was closed'));
    return this.stop();
  }
}

async function unlessAborted<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  if (signal === undefined) return await call();
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
