import type { AgreedBatch, ClusterClient, ClusterStatus } from './cluster-client.js';
import { QuorateError } from '../errors.js';
import { newsBetween, reachedBy, type ClusterNews } from './cluster-news.js';

/** How often one looks how far the cluster is while somebody follows, milliseconds. */
const lookMs = 25;
/** After so long a batch that could not be had is asked for again, milliseconds. */
const retryMs = 250;
/** Batches that are remembered, so that many who follow cost the replicas one answer each. */
const rememberedMax = 256;
/** Whoever follows and does not listen loses news of this many. */
const newsMax = 1_000;

/**
 * The agreed log as it grows, and the news of the cluster, for any number of followers. Each follower has a place of its own and
 * takes one batch after the other: a slow one slows nobody, and nothing waits for it in memory. Nothing goes on when nobody follows.
 */
export class Feed {
  private readonly batches = new Map<number, Promise<AgreedBatch | undefined>>();
  private readonly looking = new Set<(status: ClusterStatus) => void>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly client: ClusterClient) {}

  /** The last sequence number that f+1 replicas say they have executed. */
  get reached(): number {
    return reachedBy(this.client.status(), ({ lastExecuted }) => lastExecuted);
  }

  /**
   * The batches after `sequence`, in their order and without a gap, for ever; ends when `signal` says so.
   * @throws {QuorateError} `log-collected` when no replica has the next one any more, with `availableFrom` in its details
   */
  async *follow(sequence: number, signal: AbortSignal): AsyncGenerator<AgreedBatch, void, undefined> {
    for (let next = sequence + 1; ; next++) {
      const batch = await this.next(next, signal);
      if (batch === undefined) return;
      yield batch;
    }
  }

  /** Tells of everything that happens, until `signal` says so. */
  async *news(signal: AbortSignal): AsyncGenerator<ClusterNews, void, undefined> {
    let before = this.client.status();
    const waiting: ClusterNews[] = [];
    let wake: (() => void) | undefined;
    const forget = this.watch((now) => {
      waiting.push(...newsBetween(before, now));
      if (waiting.length > newsMax) waiting.splice(0, waiting.length - newsMax);
      before = now;
      if (waiting.length > 0) wake?.();
    });
    const onAbort = (): void => wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        yield* waiting.splice(0);
        if (signal.aborted) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      forget();
    }
  }

  /**
   * Has the batch at `sequence` ready, which is agreed.
   * @throws {QuorateError} `log-collected` with `availableFrom` in its details, `no-quorum`, `bus-unavailable`
   */
  async require(sequence: number): Promise<void> {
    try {
      await this.batch(sequence);
    } catch (error) {
      throw await this.explained(error, sequence);
    }
  }

  /** The first sequence number from `sequence` on that replicas still hand out. */
  private async availableFrom(sequence: number): Promise<number> {
    // It is a border: below it all is collected, above it nothing. What is collected meanwhile shows at the next attempt.
    let [collected, available] = [sequence - 1, this.reached + 1];
    while (available - collected > 1) {
      const middle = Math.floor((collected + available) / 2);
      if (await this.isCollected(middle)) collected = middle;
      else available = middle;
    }
    return available;
  }

  private async isCollected(sequence: number): Promise<boolean> {
    try {
      await this.batch(sequence);
      return false;
    } catch (error) {
      if (error instanceof QuorateError && error.code === 'log-collected') return true;
      throw error;
    }
  }

  /** The batch at `sequence` once it is there; `undefined` when `signal` came first. */
  private async next(sequence: number, signal: AbortSignal): Promise<AgreedBatch | undefined> {
    for (;;) {
      await this.untilReached(sequence, signal);
      if (signal.aborted) return undefined;
      try {
        const batch = await this.batch(sequence);
        if (batch !== undefined) return batch;
      } catch (error) {
        if (!(error instanceof QuorateError)) throw error;
        if (error.code === 'log-collected') throw await this.explained(error, sequence);
        if (error.code === 'shutting-down') return undefined;
      }
      await pause(retryMs, signal); // too few replicas answer just now
    }
  }

  private async explained(error: unknown, sequence: number): Promise<unknown> {
    if (!(error instanceof QuorateError) || error.code !== 'log-collected') return error;
    return new QuorateError(error.code, error.message, { sequence, availableFrom: await this.availableFrom(sequence) });
  }

  private batch(sequence: number): Promise<AgreedBatch | undefined> {
    const known = this.batches.get(sequence);
    if (known !== undefined) return known;
    const asked = this.client.agreedBatch(sequence);
    this.batches.set(sequence, asked);
    const forget = (): boolean => this.batches.delete(sequence);
    void asked.then((batch) => batch ?? forget(), forget);
    for (const oldest of this.batches.keys()) {
      if (this.batches.size <= rememberedMax) break;
      this.batches.delete(oldest);
    }
    return asked;
  }

  private async untilReached(sequence: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.reached >= sequence) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = this.watch((status) => {
        if (reachedBy(status, ({ lastExecuted }) => lastExecuted) >= sequence) done();
      });
      signal.addEventListener('abort', done);
    });
  }

  /** @returns how to stop */
  private watch(look: (status: ClusterStatus) => void): () => void {
    this.looking.add(look);
    this.timer ??= setInterval(() => {
      const status = this.client.status();
      for (const each of [...this.looking]) each(status);
    }, lookMs).unref();
    return () => {
      this.looking.delete(look);
      if (this.looking.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
