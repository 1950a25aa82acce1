/** Things to do at certain moments, in order; what is due at the same moment comes in the order in which it was planned. */
export class Schedule {
  now = 0;
  private readonly due = new Map<number, (() => void)[]>();
  private planned = 0;

  /** How much is still to come. */
  get size(): number {
    return this.planned;
  }

  after(delay: number, action: () => void): void {
    const moment = this.now + Math.max(1, delay);
    const actions = this.due.get(moment) ?? [];
    this.due.set(moment, actions);
    actions.push(action);
    this.planned++;
  }

  /** One moment passes. */
  pass(): void {
    this.now++;
    const actions = this.due.get(this.now) ?? [];
    this.due.delete(this.now);
    this.planned -= actions.length;
    for (const action of actions) action();
  }
}
