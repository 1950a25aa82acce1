/** How much of each new figure enters the mean and the deviation, as in RFC 6298 §2. */
const meanShare = 1 / 8;
const deviationShare = 1 / 4;

/**
 * How long to wait for an answer before asking again: the mean of what answers took, and four times their deviation
 * (RFC 6298). Under load answers take longer; whoever asked again after a fixed time would only add to it.
 */
export class Patience {
  private usual: number | undefined;
  private deviation = 0;

  constructor(
    private readonly msMin: number,
    private readonly msMax: number,
  ) {}

  observe(ms: number): void {
    this.usual ??= ms;
    this.deviation += deviationShare * (Math.abs(ms - this.usual) - this.deviation);
    this.usual += meanShare * (ms - this.usual);
  }

  /** What answers take lately, milliseconds; 0 before the first. */
  get mean(): number {
    return this.usual ?? 0;
  }

  /** Milliseconds. */
  get ms(): number {
    return Math.min(this.msMax, Math.max(this.msMin, this.mean + 4 * this.deviation));
  }
}
