import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Feed } from '../../client/feed.js';
import { QuorateError } from '../../errors.js';
import { Connections } from '../connections.js';
import { EventStream } from './event-stream.js';

/** Streams that may be open at once. */
const streamsMax = 256;

/** The open streams of events. */
@Injectable()
export class EventStreams {
  private readonly streams = new Set<AbortController>();

  constructor(
    @Inject(Feed) private readonly feed: Feed,
    @Inject(Connections) private readonly connections: Connections,
  ) {}

  get count(): number {
    return this.streams.size;
  }

  /** Ends all: whoever follows resumes at another gateway. */
  closeAll(): void {
    for (const abort of this.streams) abort.abort();
  }

  /**
   * Streams what is agreed after `after`, or from now on, until the client goes or the gateway ends.
   * @throws {QuorateError} `overloaded`, `log-collected`, `invalid-request` when nothing was sent yet
   */
  async open(
    request: IncomingMessage,
    response: ServerResponse,
    after: number | undefined,
    what: 'log' | 'everything',
  ): Promise<void> {
    if (this.streams.size >= streamsMax) {
      throw new QuorateError('overloaded', `${String(streamsMax)} streams are open already.`, { streamsMax });
    }
    const { reached } = this.feed;
    if (after !== undefined && after > reached + 1_000_000) {
      throw new QuorateError('invalid-request', 'Nothing has been agreed near this sequence number.', { reached });
    }
    const abort = new AbortController();
    this.streams.add(abort);
    const exchange = this.connections.of(request);
    exchange?.becomeStream();
    exchange?.onEnd(() => {
      abort.abort();
    });
    try {
      await this.run(response, after ?? reached, what, abort);
    } finally {
      abort.abort();
      this.streams.delete(abort);
    }
  }

  private async run(
    response: ServerResponse,
    after: number,
    what: 'log' | 'everything',
    { signal }: AbortController,
  ): Promise<void> {
    // Where the log begins later, that is the answer: so the first batch that should be there is had before anything is said.
    if (after < this.feed.reached) await this.feed.require(after + 1);
    const stream = new EventStream(response);
    try {
      const sendAll = async (): Promise<void> => {
        for await (const batch of this.feed.follow(after, signal)) await stream.send(committed(batch));
      };
      const sendNews = async (): Promise<void> => {
        for await (const news of this.feed.news(signal)) await stream.send(news);
      };
      await Promise.all(what === 'log' ? [sendAll()] : [sendAll(), sendNews()]);
    } catch (error) {
      // It fell so far behind that the log has gone on without it; or something failed: it resumes, and is told.
      if (!(error instanceof QuorateError)) throw error;
      await stream.send({ event: 'gap', data: { ...error.details, code: error.code } });
    } finally {
      stream.end();
    }
  }
}

function committed(batch: { readonly sequence: number }): { event: string; id: number; data: unknown } {
  return { event: 'committed', id: batch.sequence, data: batch };
}
