import type { Batch, Commit, PhaseMessage, Prepare, PrePrepare } from './messages.js';
import type { Digest, ReplicaIndex, SequenceNumber, View } from './types.js';

/**
 * All that a replica knows of one sequence number in its current view: the accepted PRE-PREPARE, and for each signer
 * the first vote of each kind. Votes may be there before the PRE-PREPARE (rule 3).
 *
 * What it guarantees: at most one vote for each (kind, signer) (rule 4); `prePrepare` never changes once set.
 */
export class Slot {
  prePrepare: PrePrepare | undefined;
  readonly prepares = new Map<ReplicaIndex, Prepare>();
  readonly commits = new Map<ReplicaIndex, Commit>();
  /**
   * What this identity said here before it was restarted, by kind: it never says anything else (rule 28). Told by its
   * log and by the promises kept in its data folder.
   */
  readonly promises = new Map<PhaseMessage['kind'], Digest>();
  /** The batch that committed here: by our own count (committed-local) or by a certificate that a peer gave us. */
  committed: Batch | undefined;
  /** The tick at which our votes were last sent, and how often they were sent again. */
  lastSentTick = 0;
  resends = 0;

  constructor(
    readonly view: View,
    readonly sequence: SequenceNumber,
  ) {}

  /**
   * prepared(m, v, n, i) (paper §4.2, rule 2): the PRE-PREPARE, which stands for the primary, and q−1 PREPAREs of
   * distinct backups for the same digest, our own among them when we are a backup.
   */
  isPrepared(q: number): boolean {
    return this.prePrepare !== undefined && votesFor(this.prepares, this.prePrepare.digest).length >= q - 1;
  }

  /** committed-local(m, v, n, i) (paper §4.2, rule 3): prepared, and q COMMITs of distinct replicas. */
  isCommittedLocal(q: number): boolean {
    if (this.prePrepare === undefined || !this.isPrepared(q)) return false;
    return votesFor(this.commits, this.prePrepare.digest).length >= q;
  }
}

/** The votes of `votes` for `digest`. */
export function votesFor<V extends { readonly digest: Digest; readonly replica: ReplicaIndex }>(
  votes: ReadonlyMap<ReplicaIndex, V>,
  digest: Digest,
): readonly V[] {
  return [...votes.values()].filter((vote) => vote.digest === digest);
}
