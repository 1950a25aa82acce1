/**
 * A turn of the event loop that lasts longer is not waited for, milliseconds. With thousands of busy connections one takes half a second, since all
 * that are ready are read in it, and meanwhile the cluster would have nothing to do. The shorter this is, the more is answered and the later the
 * rest is refused: 15 leaves time for both (docs/performance.md).
 */
const turnMsMax = 15;

/** Gathers what one turn of the event loop brings: `run` is called at its end, and now and then in the middle of a long one. */
export class TurnEnd {
  /** Since when something waits for `run`. */
  private dueSince: number | undefined;
  private isDeferred = false;

  /** @param defer calls back at the end of the turn */
  constructor(
    private readonly run: (now: number) => void,
    private readonly now: () => number,
    private readonly defer: (run: () => void) => void = setImmediate,
  ) {}

  /** Something waits for `run`. @returns whether it was called: the turn is a long one */
  due(): boolean {
    const now = this.now();
    this.dueSince ??= now;
    const isLong = now >= this.dueSince + turnMsMax;
    if (isLong) this.end(now);
    this.deferEnd();
    return isLong;
  }

  private deferEnd(): void {
    if (this.isDeferred) return;
    this.isDeferred = true;
    this.defer(() => {
      this.isDeferred = false;
      this.end(this.now());
    });
  }

  private end(now: number): void {
    if (this.dueSince === undefined) return;
    this.dueSince = undefined;
    this.run(now);
  }
}
