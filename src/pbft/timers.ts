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
  /** Something was executed since the view was entered; where we start nothing has failed yet. */
  hasProgressed = true;
  /** Ticks in a view change since q replicas have asked for the view; `undefined` before (rule 19). */
  sinceQuorum: number | undefined;
  /** Views that failed in a row. */
  failures = 0;
  /** The tick at which our NEW-VIEW was last sent to somebody who lacked it. */
  newViewToldAt = -1_000_000;
  /** Ticks since our VIEW-CHANGE was last sent. */
  sinceSent = 0;

  /** The time for which to wait: the base, doubled with each view that failed. */
  backedOff(baseTicks: number): number {
    return baseTicks * 2 ** Math.min(this.failures, doublingsMax);
  }

  /** A batch was executed: the view works. */
  onProgress(): void {
    this.sinceProgress = 0;
    this.failures = 0;
    this.hasProgressed = true;
  }

  onViewChange(): void {
    this.sinceQuorum = undefined;
    this.sinceSent = 0;
  }

  onViewEntered(): void {
    this.sinceProgress = 0;
    this.inView = 0;
    this.idle = 0;
    this.hasProgressed = false;
    this.sinceQuorum = undefined;
  }
}
