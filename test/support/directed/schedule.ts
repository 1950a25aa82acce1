/** Of which a tick has so many. */
export const momentsPerTick = 10;

/** Things to do at certain moments, in order; what is due at the same moment comes in the order in which it was planned. */
export class Schedule {
  now = 0;
  private readonly due = new Map<number, (() => void)[]>();

  after(delay: number, action: () => void): void {
    const moment = this.now + Math.max(1, delay);
    const actions = this.due.get(moment) ?? [];
    this.due.set(moment, actions);
    actions.push(action);
  }

  /** One moment passes. */
  pass(): void {
    this.now++;
    const actions = this.due.get(this.now) ?? [];
    this.due.delete(this.now);
    for (const action of actions) action();
  }
}
