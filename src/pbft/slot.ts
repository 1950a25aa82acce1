import type {
  Batch,
  Commit,
  CommittedCertificate,
  PhaseMessage,
  Prepare,
  PreparedCertificate,
  PrePrepare,
} from './messages.js';
import type { Digest, ReplicaIndex, SequenceNumber } from './types.js';

/** Batches of one sequence number that are kept until a checkpoint: one for each view that proposed another one. */
const batchesMax = 8;

/**
 * All that a replica knows of one sequence number: in its current view the accepted PRE-PREPARE and each signer's first
 * vote of each kind, and from earlier views what a view change must carry over. Votes may be there before the
 * PRE-PREPARE (rule 3).
 *
 * What it guarantees: at most one vote for each (kind, signer) in a view (rule 4); `prePrepare` changes only with the
 * view; `prepared` is of the highest view in which the batch prepared here.
 */
export class Slot {
  prePrepare: PrePrepare | undefined;
  /** A proposal of this view that names a bundle which we lack: judged, and binding, only once its batch has come (rule 31). */
  lacking: PrePrepare | undefined;
  prepares = new Map<ReplicaIndex, Prepare>();
  commits = new Map<ReplicaIndex, Commit>();
  /** Committed-local was reached in the current view. */
  isDone = false;
  prepared: PreparedCertificate | undefined;
  /** The batch that committed here: by our own count (committed-local) or by a certificate that a peer gave us. */
  committed: Batch | undefined;
  /** The certificate, if it was that: our log may lose it, and others may need it. */
  certificate: CommittedCertificate | undefined;
  /** The tick at which our votes were last sent, and how often they were sent again. */
  lastSentTick = 0;
  resends = 0;
  private readonly batches = new Map<Digest, Batch>();

  constructor(readonly sequence: SequenceNumber) {}

  /** What this view's primary has proposed here, as far as we know: accepted, or lacking a bundle. */
  get proposal(): PrePrepare | undefined {
    return this.prePrepare ?? this.lacking;
  }

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

  /** Keeps a batch, so that a new view can order it again without fetching it. */
  keep(batch: Batch): void {
    this.batches.set(batch.digest, batch);
    for (const digest of this.batches.keys()) {
      if (this.batches.size <= batchesMax) return;
      if (digest !== this.prepared?.prePrepare.digest && digest !== batch.digest) this.batches.delete(digest);
    }
  }

  batchOf(digest: Digest): Batch | undefined {
    return this.batches.get(digest) ?? (this.committed?.digest === digest ? this.committed : undefined);
  }

  /** All that the log holds of this sequence number. */
  get logged(): readonly PhaseMessage[] {
    const { prepared, prePrepare } = this;
    const earlier = prepared === undefined ? [] : [prepared.prePrepare, ...prepared.prepares];
    const now = [...this.prepares.values(), ...this.commits.values()];
    return [...new Set([...earlier, ...(prePrepare === undefined ? [] : [prePrepare]), ...now])];
  }

  /** A new view begins: its votes are counted anew; what was prepared and committed stays. */
  enterView(): void {
    this.prePrepare = undefined;
    this.lacking = undefined;
    this.prepares = new Map();
    this.commits = new Map();
    this.isDone = false;
    this.resends = 0;
  }
}

/** The votes of `votes` for `digest`. */
export function votesFor<V extends { readonly digest: Digest; readonly replica: ReplicaIndex }>(
  votes: ReadonlyMap<ReplicaIndex, V>,
  digest: Digest,
): readonly V[] {
  return [...votes.values()].filter((vote) => vote.digest === digest);
}
