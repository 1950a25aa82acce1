import type { Context } from './context.js';

/** So seldom is it drawn anew, milliseconds. */
const redrawMs = 200;

/** A line on a terminal's standard error that says how far long work is. Elsewhere nothing is written. */
export class Progress {
  private readonly begun = performance.now();
  private drawnAt = -Infinity;

  constructor(
    private readonly context: Context,
    private readonly unit: string,
    private readonly total: number,
  ) {}

  /** @param done how much of the total is done; what is past the total counts as all of it */
  show(done: number): void {
    const now = performance.now();
    if (!this.context.terminals.stderr || now - this.drawnAt < redrawMs) return;
    this.drawnAt = now;
    const part = Math.min(1, done / this.total);
    const leftSeconds = part === 0 ? '?' : String(Math.ceil((((now - this.begun) / part) * (1 - part)) / 1000));
    const text = `${String(done)} of ${String(this.total)} ${this.unit} (${String(Math.floor(part * 100))} %), ${leftSeconds} s left`;
    this.context.stderr.write(`\r\u001b[K${text}`);
  }

  /** Takes the line away again, so that what follows stands alone. */
  clear(): void {
    if (this.drawnAt !== -Infinity) this.context.stderr.write('\r\u001b[K');
  }
}
