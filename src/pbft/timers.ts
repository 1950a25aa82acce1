/** A view that fails doubles the next one's time, up to 2^6 times the base. */
const doublingsMax = 6;
/** A request that others overtake for so many request time-outs is being censored (rule 22). */
export const censorshipFactor = 8;

/** A primary that left requests lying for so many request time-outs longer than it did not is too slow (rule 22). */
export const idlenessFactor = 3;

/** The replica's timers, in ticks. They run at every replica (rule 14). */
export class Timers {
  /** Ticks since the last progress while some request waits: the request timer of paper §4.4. */
  sinceProgress = 0;
  /** Ticks since the view was entered: a request's age before it is not this primary's fault. */
  inView = 0;
  /** Ticks in the view in which requests waited and nothing was under way, less those in which that was not so. */
  idle = 0;
  /** Ticks in the view since a request last waited for half of what is waited at most (see `onTickInView`). */
  private calm = 0;
  /** Whether something that the view itself proposed was executed meanwhile: nothing else shows how it works. */
  private hasExecuted = false;
  /** Whether the view was calm for that long, once; where we start nothing has failed yet. */
  hasHeld = true;
  /** Ticks in a view change since q replicas have asked for the view; `undefined` before (rule 19). */
  sinceQuorum: number | undefined;
  /** How often views failed, less how often one held: the time-outs are doubled so often. */
  failures = 0;
  /** The tick at which our NEW-VIEW was last sent to somebody who lacked it. */
  newViewToldAt = -1_000_000;
  /** Ticks since our VIEW-CHANGE was last sent. */
  sinceSent = 0;

  /** The time for which to wait: the base, doubled with each failure. */
  backedOff(baseTicks: number): number {
    return baseTicks * 2 ** Math.min(this.failures, doublingsMax);
  }

  /** Something was executed. @param isOfView whether the view itself proposed it, rather than took it over from earlier ones */
  onProgress(isOfView: boolean): void {
    this.sinceProgress = 0;
    this.hasExecuted ||= this.calm > 0 && isOfView;
  }

  /**
   * A tick in a view that we do not suspect. Half of the patience would have been enough while requests are executed and none waits for
   * that long; when that has been so for just as long, the view holds, and the patience is halved. That something was executed does not say
   * as much: where each batch takes longer than the base, every view executes what the last one left behind, and is given up right after.
   */
  onTickInView(patience: number): void {
    const half = Math.max(1, patience >> 1);
    this.calm++;
    if (this.sinceProgress >= half) this.beginCalm();
    if (this.calm < half || !this.hasExecuted) return;
    this.beginCalm();
    this.hasHeld = true;
    this.failures = Math.max(0, Math.min(this.failures, doublingsMax) - 1);
  }

  onViewChange(): void {
    this.sinceQuorum = undefined;
    this.sinceSent = 0;
  }

  onViewEntered(): void {
    this.sinceProgress = 0;
    this.inView = 0;
    this.idle = 0;
    this.beginCalm();
    this.hasHeld = false;
    this.sinceQuorum = undefined;
  }

  private beginCalm(): void {
    this.calm = 0;
    this.hasExecuted = false;
  }
}
