import type { Configuration } from '../../src/pbft/configuration.js';
import type { Input } from '../../src/pbft/inputs.js';
import type {
  Batch,
  CommittedCertificate,
  PhaseMessage,
  Promised,
  ReplicaMessage,
  ViewChange,
} from '../../src/pbft/messages.js';
import { votesFor } from '../../src/pbft/slot.js';
import { digest, sequence, type Digest, type SequenceNumber } from '../../src/pbft/types.js';

type ViewMessage = Exclude<ReplicaMessage, PhaseMessage>;

/** What a replica finds after a restart: its log, and the promises in its data folder. */
export class DurableLog {
  private promises: Promised[] = [];
  /** The stable checkpoint up to which promises were forgotten. */
  private settled = sequence(0);
  private readonly slots = new Map<number, Map<string, PhaseMessage>>();
  private readonly batches = new Map<Digest, Batch>();
  private readonly views: ViewMessage[] = [];

  write(message: ReplicaMessage | CommittedCertificate, self: number): void {
    switch (message.kind) {
      case 'certificate':
        this.batches.set(message.batch.digest, message.batch);
        for (const vote of message.commits) this.writePhase(vote, self);
        break;
      case 'view-change':
        if (message.replica === self) this.promises.push(givingUp(message));
        this.views.push(message);
        break;
      case 'checkpoint':
      case 'new-view':
        this.views.push(message);
        break;
      default:
        this.writePhase(message, self);
    }
  }

  /** Loses what the log holds of `places`; the promises are in another place. */
  lose(...places: readonly number[]): void {
    for (const place of places) this.slots.delete(place);
  }

  /** A checkpoint is stable: what was promised up to there is forgotten. */
  settle(place: SequenceNumber): void {
    this.settled = place;
    this.promises = this.promises.filter((promise) => promise.kind === 'view-change' || promise.sequence > place);
  }

  /** What the host steps a new core with, in its order, before the first tick. */
  *replay(configuration: Configuration): Generator<Input> {
    let place = 1;
    for (; ; place++) {
      const certificate = this.certificateAt(place, configuration.q);
      if (certificate === undefined) break;
      yield { kind: 'certificate', certificate };
    }
    for (const message of this.views) if (message.kind === 'checkpoint') yield { kind: 'restore-view', message };
    yield { kind: 'settled', sequence: this.settled };
    for (const promise of this.promises) yield { kind: 'promise', promise };
    for (const message of this.views) if (message.kind !== 'checkpoint') yield { kind: 'restore-view', message };
    for (const [, slot] of [...this.slots].sort(([a], [b]) => a - b)) {
      yield { kind: 'restore', messages: [...slot.values()].sort((a, b) => rank(a) - rank(b)) };
    }
  }

  private writePhase(message: PhaseMessage, self: number): void {
    const slot = this.slots.get(message.sequence) ?? new Map<string, PhaseMessage>();
    this.slots.set(message.sequence, slot);
    slot.set(`${message.kind}/${message.view}/${message.replica}`, { ...message });
    if (message.kind === 'pre-prepare' && message.batch !== undefined) this.batches.set(message.digest, message.batch);
    if (message.replica === self) {
      const { kind, view, digest } = message;
      this.promises.push({ kind, view, sequence: sequence(message.sequence), digest });
    }
  }

  /** The proof that a batch was committed at `place`, if q COMMITs and the batch are there. */
  private certificateAt(place: number, q: number): CommittedCertificate | undefined {
    const commits = [...(this.slots.get(place)?.values() ?? [])].filter((message) => message.kind === 'commit');
    for (const { digest, view } of commits) {
      const batch = this.batches.get(digest);
      const votes = commits.filter((vote) => vote.view === view).map((vote) => [vote.replica, vote] as const);
      const matching = votesFor(new Map(votes), digest);
      if (batch !== undefined && matching.length >= q) return { kind: 'certificate', batch, commits: matching };
    }
    return undefined;
  }
}

/** Who asks for a view says nothing more in a lower one. */
function givingUp({ view }: ViewChange): Promised {
  return { kind: 'view-change', view, sequence: sequence(0), digest: digest('0'.repeat(64)) };
}

/** PRE-PREPAREs come first. */
function rank({ kind }: PhaseMessage): number {
  return ['pre-prepare', 'prepare', 'commit'].indexOf(kind);
}
