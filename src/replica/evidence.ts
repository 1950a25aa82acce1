import type { PhaseMessage } from '../pbft/messages.js';
import type { Logger } from '../ports/logger.js';

/** Contradictions that are kept to be shown. */
const keptMax = 64;

export interface Contradiction {
  readonly first: PhaseMessage;
  readonly second: PhaseMessage;
}

export interface EvidenceOptions {
  /** The replicas' names, in the membership's order. */
  readonly names: readonly string[];
  readonly logger: Logger;
  /** Whether others can be shown this vote. */
  readonly isProven: (vote: PhaseMessage) => boolean;
}

/** Who has said two things that exclude each other, and signed both: proof for everybody that it is faulty (rule 4). */
export class Evidence {
  readonly kept: Contradiction[] = [];
  /** How many there were, those not kept included. */
  count = 0;

  constructor(private readonly options: EvidenceOptions) {}

  add(contradiction: Contradiction): void {
    const { first, second } = contradiction;
    const { names, logger, isProven } = this.options;
    if (![first, second].every(isProven)) return; // it has lied to us, and nobody else can see that
    this.count++;
    if (this.kept.length < keptMax) this.kept.push(contradiction);
    logger.error(
      { replica: names[first.replica] ?? String(first.replica), kind: first.kind, sequence: first.sequence },
      'a replica contradicts itself: proof that it is faulty',
    );
  }
}
