/** What one peer may cost us: in a tick on average, and at once. */
export interface AllowanceLimits {
  readonly perTick: number;
  readonly atOnce: number;
}

/**
 * A limit on what is done for each peer (rule 8): every answer makes somebody who asks again and again cost us more than
 * it costs them. What was spent on a peer fades with each tick; as long as it is below the limit the peer gets what it asks
 * for, whole, however much that is: so nothing is too large ever to be had, and who has had it waits the longer.
 */
export class Allowance {
  /** What was spent on each peer and has not faded yet. */
  private readonly spent = new Map<number, number>();

  constructor(private readonly limits: AllowanceLimits) {}

  tick(): void {
    for (const [peer, spent] of this.spent) {
      if (spent > this.limits.perTick) this.spent.set(peer, spent - this.limits.perTick);
      else this.spent.delete(peer);
    }
  }

  /** Whether this peer may have more. */
  isLeft(peer: number): boolean {
    return (this.spent.get(peer) ?? 0) < this.limits.atOnce;
  }

  spend(peer: number, amount: number): void {
    this.spent.set(peer, (this.spent.get(peer) ?? 0) + amount);
  }

  /** Spends it, if anything is left. @returns whether there was */
  take(peer: number, amount: number): boolean {
    const isLeft = this.isLeft(peer);
    if (isLeft) this.spend(peer, amount);
    return isLeft;
  }
}
