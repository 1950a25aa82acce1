import { createHistogram, performance } from 'node:perf_hooks';

/** Nothing that is measured here takes longer than this, microseconds. */
const HIGHEST_US = 600_000_000;

/** Counts what is answered between `mark` and `take`, and how long each took, in a histogram with three figures. */
export class Meter {
  #histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });
  #answered = 0;
  #failed = {};
  #markedAt = performance.now();
  #lastAnswerAt = this.#markedAt;
  #longestGapMs = 0;

  /** @param startedAt when the request left, by `performance.now()`; @param requests how many were answered at once */
  answered(startedAt, requests = 1) {
    const now = performance.now();
    this.#answered += requests;
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAnswerAt);
    this.#lastAnswerAt = now;
    const us = Math.round((now - startedAt) * 1000);
    this.#histogram.record(Math.min(Math.max(us, 1), HIGHEST_US));
  }

  failed(code) {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }

  /** What was counted so far was warm-up. */
  mark() {
    this.#histogram.reset();
    this.#answered = 0;
    this.#failed = {};
    this.#longestGapMs = 0;
    this.#lastAnswerAt = this.#markedAt = performance.now();
  }

  take() {
    const now = performance.now();
    const seconds = (now - this.#markedAt) / 1000;
    const at = (percent) => (this.#histogram.count === 0 ? 0 : this.#histogram.percentile(percent) / 1000);
    return {
      seconds,
      answered: this.#answered,
      failed: { ...this.#failed },
      perSecond: this.#answered / seconds,
      p50Ms: at(50),
      p99Ms: at(99),
      maxMs: at(100),
      /** The longest time without an answer to anybody. */
      longestGapMs: Math.max(this.#longestGapMs, now - this.#lastAnswerAt),
    };
  }
}
