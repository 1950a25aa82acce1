import { QuorateError } from '../errors.js';
import type { Configuration } from '../pbft/configuration.js';
import type { Status } from '../wire/service.js';

/** Beyond this nothing can have been said by an identity that does not remember. */
export interface Past {
  /** No vote was for a higher sequence number. */
  readonly sequence: number;
  /** No VIEW-CHANGE was for a higher view. */
  readonly view: number;
}

/**
 * What an identity may have said, by its peers' word, when its own memory of that is gone (rule 28).
 *
 * Its votes lie at most L above a checkpoint that q replicas vouched for. Of these, q−1−f others at least are correct
 * and have executed it: whoever hears n−q+f+1 others hears one of them. The same holds for the views: it asked at most for the
 * one above a view for which q had asked. Only words that answer to this very process count, since anything older can be
 * replayed.
 */
export class Recall {
  private readonly heard = new Map<number, Status>();
  private resolve!: (past: Past) => void;
  private reject!: (error: QuorateError) => void;
  readonly past: Promise<Past>;

  constructor(private readonly configuration: Configuration) {
    this.past = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.past.catch(() => undefined); // whoever waits for it is told; nobody may
  }

  /** A peer's word, given after it has heard of this process. */
  onFresh(replica: number, status: Status): void {
    if (!status.isWhole) return; // it is reading its own log, or has lost it, and knows no more than we do
    const { n, f, q, options } = this.configuration;
    this.heard.set(replica, status);
    if (this.heard.size < n - q + f + 1) return;
    const told = [...this.heard.values()];
    this.resolve({
      sequence: Math.max(...told.map(({ lastExecuted }) => lastExecuted)) + options.logSize,
      view: Math.max(...told.map(({ view }) => view)) + 1,
    });
  }

  close(): void {
    this.reject(
      new QuorateError('shutting-down', 'the replica was stopped before its peers told what it may have said'),
    );
  }
}
