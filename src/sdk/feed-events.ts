import type { Feed } from '../client/feed.js';
import type { Json } from '../wire/json.js';
import type { ClusterEvent } from './client.js';

/**
 * Follows the agreed log after `after`, and the news between, until `ended` says so.
 * @throws {QuorateError} `log-collected`, with `availableFrom` in its details
 */
export async function* followFeed(
  feed: Feed,
  after: number,
  ended: AbortSignal,
): AsyncGenerator<ClusterEvent, void, undefined> {
  const left = new AbortController(); // the consumer may leave in the middle
  const signal = AbortSignal.any([ended, left.signal]);
  try {
    yield* merged([committed(feed, after, signal), news(feed, signal)]);
  } finally {
    left.abort();
  }
}

async function* committed(feed: Feed, after: number, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
  for await (const batch of feed.follow(after, signal)) {
    yield { type: 'committed', id: batch.sequence, data: batch as unknown as Json };
  }
}

async function* news(feed: Feed, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
  for await (const { event, data } of feed.news(signal)) yield { type: event, id: undefined, data };
}

/** What any of the sources has next, in turns where several have; asked only when it is wanted. Ends with the last of them. */
async function* merged<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T, void, undefined> {
  const pending = new Map<AsyncGenerator<T>, Promise<{ source: AsyncGenerator<T>; next: IteratorResult<T> }>>();
  const ask = (source: AsyncGenerator<T>): void => {
    const asked = source.next().then((next) => ({ source, next }));
    asked.catch(() => undefined); // the consumer may be gone by then
    pending.set(source, asked);
  };
  sources.forEach(ask);
  while (pending.size > 0) {
    const { source, next } = await Promise.race(pending.values());
    pending.delete(source);
    if (next.done === true) continue;
    yield next.value;
    ask(source);
  }
}
