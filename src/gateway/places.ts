/** Of the deadline, the part in which an answer should come; the rest is for what nobody foresees, a new primary among it. */
const TARGET_PART = 1 / 4;
/** So many places are never taken away: they cost no latency worth speaking of. */
const PLACES_MIN = 64;
/** The part of the places that stays, at least, when answers come late. */
const KEPT_MIN = 1 / 2;
/** The part by which the places grow while as many answers come in time as there are places. */
const GROWTH = 1 / 20;

/**
 * How many requests may be in flight: as many as are answered well within the deadline. A request waits for those before it, so more
 * of them than the cluster answers in that time make it no faster, but would all be answered too late. How fast it is nobody knows
 * beforehand; what answers take tells.
 */
export class Places {
  readonly #min: number;
  readonly #targetMs: number;
  #count: number;
  #cutAt = -Infinity;

  /** @param max places at most, and at first; at or below 64 they stay as they are. @param deadlineMs of each request */
  constructor(
    private readonly max: number,
    deadlineMs: number,
  ) {
    this.#min = Math.min(max, PLACES_MIN);
    this.#targetMs = deadlineMs * TARGET_PART;
    this.#count = max;
  }

  get count(): number {
    return Math.floor(this.#count);
  }

  /**
   * A request is over, answered or not.
   * @param startedAt, endedAt milliseconds by one clock
   * @param inFlight requests in flight then, this one included
   */
  onEnd(startedAt: number, endedAt: number, inFlight: number): void {
    const tookMs = endedAt - startedAt;
    if (tookMs <= this.#targetMs) {
      // Each round of answers makes a twentieth more room; who needs none learns nothing about it.
      if (2 * inFlight >= this.#count) this.#count = Math.min(this.max, this.#count + GROWTH);
      return;
    }
    // Those that set out before the last cut say the same as what led to it.
    if (startedAt < this.#cutAt) return;
    this.#cutAt = endedAt;
    this.#count = Math.max(this.#min, this.#count * Math.max(KEPT_MIN, this.#targetMs / tookMs));
  }
}
