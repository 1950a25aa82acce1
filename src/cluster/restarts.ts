const FIRST_DELAY_MS = 500;
const DELAY_MAX_MS = 30_000;
const ATTEMPTS_MAX = 10;
/** One that lived so long had started well: what ended it is counted anew. */
const LIVED_WELL_MS = 30_000;

/** When to start again what ended by itself: later each time, and not for ever. */
export class Restarts {
  private readonly attempts = new Map<string, number>();

  /** @returns milliseconds to wait before it is started again; `undefined` when it has ended too often */
  delayFor(name: string, livedMs: number): number | undefined {
    const attempt = livedMs >= LIVED_WELL_MS ? 0 : (this.attempts.get(name) ?? 0);
    if (attempt >= ATTEMPTS_MAX) return undefined;
    this.attempts.set(name, attempt + 1);
    return Math.min(FIRST_DELAY_MS * 2 ** attempt, DELAY_MAX_MS);
  }
}
