import type { Configuration } from '../../../src/pbft/configuration.js';
import type {
  Batch,
  Commit,
  NewView,
  Prepare,
  PrePrepare,
  ReplicaMessage,
  ViewChange,
} from '../../../src/pbft/messages.js';
import { primaryOf } from '../../../src/pbft/quorum.js';

/**
 * Sees everything that correct replicas say and execute, and throws at the first thing that must never happen:
 * - two correct replicas execute different batches at one sequence number, or could be brought to: two batches have so
 *   many COMMITs of correct replicas that those of the Byzantine ones would complete both quorums (OSDI §4.5.1);
 * - two batches can prepare in one view and sequence number;
 * - a correct replica sends two different VIEW-CHANGEs, NEW-VIEWs or CHECKPOINTs under one name, over all its lives;
 * - its VIEW-CHANGE keeps silent about something for which it has sent a COMMIT (paper §4.4);
 * - correct replicas have different states at one checkpoint.
 *
 * It also knows what correct replicas have signed: a test may repeat it, and have nothing else said in their names.
 */
export class Witness {
  private readonly signed = new Set<string>();
  private readonly executedAt = new Map<number, string>();
  private readonly states = new Map<number, string>();
  private readonly viewMessages = new Map<string, string>();
  private readonly votes = new Map<string, Set<number>>();
  private readonly decided = new Map<string, string>();
  private readonly committed = new Map<number, Map<number, number>>();

  constructor(
    private readonly configuration: Configuration,
    private readonly byzantine: ReadonlySet<number>,
  ) {}

  onExecuted(replica: number, place: number, batch: Batch): void {
    const other = this.executedAt.get(place);
    if (other !== undefined && other !== batch.digest) {
      throw new Error(`replica ${replica} executes ${batch.digest} at ${place}, another one has executed ${other}`);
    }
    if (other === undefined) this.agree('executed', place, batch.digest);
    this.executedAt.set(place, batch.digest);
  }

  onSaid(message: ReplicaMessage): void {
    const name = nameOf(message);
    const isNew = !this.signed.has(name);
    this.signed.add(name);
    switch (message.kind) {
      case 'prepare':
      case 'pre-prepare':
        if (isNew) this.onPrepare(message);
        break;
      case 'commit':
        if (isNew) this.onCommit(message);
        break;
      case 'checkpoint':
        this.onState(message.sequence, message.digest);
        break;
      case 'view-change':
      case 'new-view':
        for (const part of partsOf(message)) if (part.replica === message.replica) this.onSaid(part);
        this.onViewMessage(message, name);
        break;
    }
  }

  /** Whether everything in the message that a correct replica is said to have signed was signed by it. */
  isGenuine(message: ReplicaMessage): boolean {
    if (!this.byzantine.has(message.replica)) return this.signed.has(nameOf(message));
    return partsOf(message).every((part) => this.isGenuine(part));
  }

  private onPrepare(message: PrePrepare | Prepare): void {
    const { view, sequence, digest } = message;
    const { q, n } = this.configuration;
    const voters = this.votersFor(`prepare/${view}/${sequence}/${digest}`);
    voters.add(message.replica);
    const primary = primaryOf(view, n);
    const isProposed = voters.has(primary) || this.byzantine.has(primary);
    if (isProposed && voters.size + this.byzantine.size >= q) this.decide(`${view}/${sequence}`, digest, 'prepared');
  }

  private onCommit(message: Commit): void {
    const { view, sequence, digest, replica } = message;
    const voters = this.votersFor(`commit/${view}/${sequence}/${digest}`);
    voters.add(replica);
    const own = this.committed.get(replica) ?? new Map<number, number>();
    this.committed.set(replica, own.set(sequence, Math.max(view, own.get(sequence) ?? 0)));
    if (voters.size + this.byzantine.size >= this.configuration.q) this.agree('committed', sequence, digest);
  }

  private votersFor(name: string): Set<number> {
    const voters = this.votes.get(name) ?? new Set<number>();
    this.votes.set(name, voters);
    return voters;
  }

  private agree(how: string, place: number, digest: string): void {
    this.decide(String(place), digest, how);
  }

  private decide(place: string, digest: string, how: string): void {
    const other = this.decided.get(place) ?? digest;
    if (other !== digest) throw new Error(`at ${place} both ${other} and ${digest} can be ${how}`);
    this.decided.set(place, digest);
  }

  private onState(place: number, state: string): void {
    const other = this.states.get(place) ?? state;
    if (other !== state) throw new Error(`correct replicas have different states after ${place}`);
    this.states.set(place, state);
  }

  private onViewMessage(message: ViewChange | NewView, text: string): void {
    const name = `${message.kind}/${message.view}/${message.replica}`;
    const other = this.viewMessages.get(name);
    if (other !== undefined && other !== text) throw new Error(`two words for ${name}: ${other} and ${text}`);
    this.viewMessages.set(name, text);
    if (other === undefined && message.kind === 'view-change') this.assertTellsAll(message);
  }

  private assertTellsAll({ view, replica, stable, prepared }: ViewChange): void {
    for (const [place, committedIn] of this.committed.get(replica) ?? []) {
      if (place <= stable.sequence || committedIn >= view) continue;
      const isTold = prepared.some(({ prePrepare }) => prePrepare.sequence === place && prePrepare.view >= committedIn);
      if (!isTold) throw new Error(`the VIEW-CHANGE of ${replica} to ${view} hides that ${place} has prepared`);
    }
  }
}

/** The signed messages that a message consists of. */
function partsOf(message: ReplicaMessage): readonly ReplicaMessage[] {
  if (message.kind === 'new-view') return [...message.viewChanges, ...message.prePrepares];
  if (message.kind !== 'view-change') return [];
  return [
    ...message.stable.proof,
    ...message.prepared.flatMap(({ prePrepare, prepares }) => [prePrepare, ...prepares]),
  ];
}

/** A message's signed contents. */
function nameOf(message: ReplicaMessage): string {
  switch (message.kind) {
    case 'checkpoint':
      return `checkpoint/${message.sequence}/${message.digest}/${message.replica}`;
    case 'view-change': {
      const { stable, prepared } = message;
      const signers = stable.proof.map(({ replica }) => replica).join();
      const certificates = prepared.map(({ prePrepare, prepares }) => {
        return `${nameOf(prePrepare)}+${prepares.map(({ replica }) => replica).join()}`;
      });
      const proof = `${stable.sequence}:${stable.proof[0]?.digest ?? ''}:${signers}`;
      return `view-change/${message.view}/${message.replica}/${proof}/${certificates.join(' ')}`;
    }
    case 'new-view': {
      const parts = [...message.viewChanges, ...message.prePrepares].map(nameOf);
      return `new-view/${message.view}/${message.replica}/{${parts.join(' ')}}`;
    }
    default:
      return `${message.kind}/${message.view}/${message.sequence}/${message.digest}/${message.replica}`;
  }
}
