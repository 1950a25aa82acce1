import type { Violations } from './violations.js';

/**
 * What a replica has executed and answered rests on q COMMITs. It may answer before they are in its log (they are the
 * words of others, which wait for its next own one), but never say there that it is executed without them.
 */
export class KeptCommits {
  /** By replica and sequence number, then by view and digest: whose COMMITs its log has, or had. */
  private readonly kept = new Map<string, Map<string, Set<number>>>();
  /** What each replica has answered for the first time, and not yet written that it is executed. */
  private readonly answered = new Map<number, readonly number[]>();

  constructor(
    private readonly q: number,
    private readonly violations: Violations,
  ) {}

  /** A COMMIT was written into a replica's log. */
  onKept(replica: number, sequence: number, what: string, signer: number): void {
    const kept = this.kept.get(`${replica} ${sequence}`) ?? new Map<string, Set<number>>();
    this.kept.set(`${replica} ${sequence}`, kept);
    kept.set(what, (kept.get(what) ?? new Set<number>()).add(signer));
  }

  onAnswered(replica: number, sequence: number): void {
    this.answered.set(replica, [...(this.answered.get(replica) ?? []), sequence]);
  }

  /** A replica's log says how far it has executed. Up to its stable checkpoint it may have removed what it had written. */
  onExecuted(replica: number, lastExecuted: number, stable: number): void {
    const answered = this.answered.get(replica) ?? [];
    const waiting = answered.filter((sequence) => sequence > lastExecuted);
    this.answered.set(replica, waiting);
    for (const sequence of answered) {
      if (sequence > lastExecuted || sequence <= stable) continue;
      const kept = [...(this.kept.get(`${replica} ${sequence}`)?.values() ?? [])];
      if (kept.some((signers) => signers.size >= this.q)) continue;
      const what = `replica ${replica} has executed ${sequence} and kept no q COMMITs for it`;
      this.violations.add('certificates', what);
    }
  }

  /** A replica begins a new life: what the last one had not written yet it learns anew, or fetches. */
  onBorn(replica: number): void {
    this.answered.delete(replica);
  }
}
