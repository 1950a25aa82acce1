import { fetchCountMax, type Fetch } from '../wire/service.js';

/** Ticks without progress, while peers are ahead, after which one of them is asked. */
const stalledTicksMax = 4;
/** Ticks that a peer has to answer before the next one is asked. */
const answerTicksMax = 10;

/**
 * Decides when this replica has missed something, and whom to ask for it (rule 29). Peers' claims are taken as hints:
 * what they send is verified, and a liar costs one round.
 */
export class CatchUp {
  private readonly heights = new Map<number, number>();
  private lastExecuted = 0;
  private stalledTicks = 0;
  private waitingTicks = 0;
  private awaited = 0;
  private turn = 0;

  /** A peer says how far it is. */
  onStatus(replica: number, lastExecuted: number): void {
    this.heights.set(replica, lastExecuted);
  }

  /** What to ask for now, if anything. */
  tick(lastExecuted: number): Fetch | undefined {
    const hasProgressed = lastExecuted > this.lastExecuted;
    this.lastExecuted = lastExecuted;
    this.stalledTicks = hasProgressed ? 0 : this.stalledTicks + 1;
    const ahead = [...this.heights].filter(([, height]) => height > lastExecuted).map(([replica]) => replica);
    if (ahead.length === 0) {
      this.waitingTicks = 0;
      this.awaited = 0;
      return undefined;
    }
    if (this.awaited > lastExecuted && this.waitingTicks > 0) {
      this.waitingTicks--;
      return undefined;
    }
    const isChasing = this.awaited > 0;
    if (!isChasing && this.stalledTicks < stalledTicksMax) return undefined;
    if (this.awaited > lastExecuted) this.turn++; // it did not answer in time
    const target = ahead[this.turn % ahead.length] ?? 0;
    const height = this.heights.get(target) ?? 0;
    const count = Math.min(fetchCountMax, height - lastExecuted);
    this.awaited = lastExecuted + count;
    this.waitingTicks = answerTicksMax;
    return { target, from: lastExecuted + 1, count };
  }
}
