import type { Batch, Commit, CommittedCertificate, PhaseMessage, ReplicaMessage } from '../../../src/pbft/messages.js';

type ViewMessage = Exclude<ReplicaMessage, PhaseMessage>;

/** One sequence number's hash: each vote under its kind, view and signer, and the batch of a certificate. */
interface Entry {
  readonly votes: Map<string, PhaseMessage>;
  batch: Batch | undefined;
}

/**
 * A replica's log as the host keeps it in Redis: a hash for each sequence number, and one for the replica with the newest
 * message of each kind. It may be lost while the promises stay.
 */
export class HostLog {
  private readonly entries = new Map<number, Entry>();
  private readonly own = new Map<string, ViewMessage>();

  write(message: ReplicaMessage | CommittedCertificate): void {
    switch (message.kind) {
      case 'certificate':
        this.entry(message.commits[0]?.sequence ?? 0).batch = message.batch;
        for (const commit of message.commits) this.write(commit);
        break;
      case 'checkpoint':
        this.own.set(`checkpoint:${message.replica}`, message);
        break;
      case 'view-change':
      case 'new-view':
        this.own.set(message.kind, message);
        break;
      default: {
        // A copy: the core fills in the batch of a message that it has in hand, not of one that is written.
        const field = message.kind === 'pre-prepare' ? '' : `:${message.replica}`;
        this.entry(message.sequence).votes.set(`${message.kind}:${message.view}${field}`, { ...message });
      }
    }
  }

  /** The newest messages of this kind in the replica's own hash: CHECKPOINTs of each signer, one of the other kinds. */
  viewMessages(kind: 'checkpoint' | 'view-change' | 'new-view'): ViewMessage[] {
    return [...this.own.values()].filter((message) => message.kind === kind);
  }

  /** What was said and heard at `place`, PRE-PREPAREs first. */
  votesAt(place: number): PhaseMessage[] {
    const messages = [...(this.entries.get(place)?.votes.values() ?? [])];
    return messages.sort((a, b) => rank(a) - rank(b)).map((message) => ({ ...message }));
  }

  /** The proof that a batch was committed at `place`, if q COMMITs and the batch are there. */
  certificateAt(place: number, q: number): CommittedCertificate | undefined {
    const entry = this.entries.get(place);
    if (entry === undefined) return undefined;
    const votes = [...entry.votes.values()];
    const batches = votes.flatMap((vote) => (vote.kind === 'pre-prepare' ? (vote.batch ?? []) : []));
    if (entry.batch !== undefined) batches.push(entry.batch);
    const byBatch = new Map<string, Commit[]>();
    for (const vote of votes) {
      if (vote.kind !== 'commit') continue;
      const name = `${vote.view}/${vote.digest}`;
      const commits = byBatch.get(name) ?? [];
      byBatch.set(name, commits);
      commits.push(vote);
      const batch = batches.find(({ digest }) => digest === vote.digest);
      if (batch !== undefined && commits.length >= q) return { kind: 'certificate', batch, commits };
    }
    return undefined;
  }

  private entry(place: number): Entry {
    let entry = this.entries.get(place);
    if (entry === undefined) {
      entry = { votes: new Map(), batch: undefined };
      this.entries.set(place, entry);
    }
    return entry;
  }
}

function rank({ kind }: PhaseMessage): number {
  return ['pre-prepare', 'prepare', 'commit'].indexOf(kind);
}
