import type { Configuration } from '../../src/pbft/configuration.js';
import type { Effect, Executed, ReplyStatement } from '../../src/pbft/effects.js';
import type { Input } from '../../src/pbft/inputs.js';
import type { CommittedCertificate, PhaseMessage, ReplicaMessage } from '../../src/pbft/messages.js';
import { primaryOf } from '../../src/pbft/quorum.js';
import type { Subject } from './core-messages.js';

type Reply = Extract<Effect, { kind: 'reply' | 'reply-again' }>;

/** What a gateway is told, of one batch. */
export interface Answer {
  readonly gateway: string;
  readonly statement: ReplyStatement;
  readonly items: readonly Executed[];
}

export function answerIn(effect: Reply): Answer {
  const { gateway } = effect;
  if (effect.kind === 'reply') return { gateway, statement: effect.replies.statement, items: effect.items };
  const [first] = effect.replies;
  if (first === undefined) throw new Error('an answer to nothing');
  return { gateway, statement: first.statement, items: effect.replies.map(({ executed }) => executed) };
}

/**
 * Watches everything that one replica does, in order, over all its lives, and throws at the first effect that a correct
 * replica never has. What it checks:
 * - whatever is sent was persisted before, and so was everything that it rests on (rule 27): a PREPARE on its
 *   PRE-PREPARE; a COMMIT on the PRE-PREPARE and q−1 PREPAREs of distinct backups; a reply on q COMMITs as well, or on a
 *   certificate;
 * - a replica speaks for itself alone, says one thing for each (kind, view, sequence), and nothing new of a view below
 *   one that it has asked for (rules 4, 18, 28); a COMMIT shows the PREPARE, or PRE-PREPARE, in which it was pledged,
 *   and which it must have said;
 * - batches are executed one after the other (rule 3);
 * - a reply item stands where its leaf stands;
 * - evidence is two different messages of one signer for one (kind, view, sequence);
 * - nothing goes out before the first tick.
 */
export class EffectChecker {
  /** Messages in the log, and who has signed what in it. */
  private readonly persisted = new Set<string>();
  private readonly signers = new Map<string, Set<number>>();
  private readonly certified = new Set<number>();
  private readonly said = new Map<string, string>();
  private lastExecuted = 0;
  private viewAskedFor = 0;

  constructor(private readonly configuration: Configuration) {}

  /** The replica was restarted: it begins at 0 again, but its log and its word remain. */
  restarted(): void {
    this.lastExecuted = 0;
  }

  /** What the log is found to hold at the start was persisted. */
  restored(input: Input): void {
    if (input.kind === 'restore') for (const message of input.messages) this.onPersist(message);
    if (input.kind === 'certificate') this.onPersist(input.certificate);
  }

  observe(effect: Effect, isRestoring: boolean): void {
    const isOutward = ['persist', 'broadcast', 'reply', 'reply-again'].includes(effect.kind);
    if (isRestoring && isOutward) throw new Error(`${effect.kind} before the first tick`);
    switch (effect.kind) {
      case 'persist':
        this.onPersist(effect.message);
        break;
      case 'broadcast':
        this.onBroadcast(effect.message);
        break;
      case 'executed':
        if (effect.sequence !== this.lastExecuted + 1) {
          throw new Error(`${effect.sequence} was executed after ${this.lastExecuted}`);
        }
        this.lastExecuted = effect.sequence;
        break;
      case 'reply':
      case 'reply-again':
        this.onReply(effect);
        break;
      case 'evidence':
        assertContradiction(effect.first, effect.second);
        break;
      default:
        break;
    }
  }

  private onPersist(message: ReplicaMessage | CommittedCertificate): void {
    if (message.kind === 'certificate') {
      this.certified.add(message.commits[0]?.sequence ?? 0);
      return;
    }
    this.persisted.add(nameOf(message));
    if (!isPhase(message)) return;
    const name = subjectOf(message.kind, message);
    this.signers.set(name, (this.signers.get(name) ?? new Set()).add(message.replica));
    if (message.replica === this.configuration.self) this.assertConsistent(message);
  }

  private onBroadcast(message: ReplicaMessage): void {
    const name = nameOf(message);
    if (message.replica !== this.configuration.self) throw new Error(`spoke for somebody else: ${name}`);
    // What a checkpoint says follows from the batches; it is computed again after a restart.
    const isComputed = message.kind === 'checkpoint';
    if (isComputed) this.assertConsistent({ ...message, view: 0 });
    if (!isComputed && !this.persisted.has(name)) throw new Error(`was sent before it was persisted: ${name}`);
    if (message.kind === 'view-change') this.viewAskedFor = Math.max(this.viewAskedFor, message.view);
    if (!isPhase(message)) return;
    this.assertConsistent(message);
    if (message.kind !== 'pre-prepare' && !this.isAccepted(message)) throw new Error(`no PRE-PREPARE is kept: ${name}`);
    if (message.kind !== 'commit') return;
    if (!this.isPrepared(message)) throw new Error(`is not known as prepared: ${name}`);
    if (!this.votes(this.pledging(message), message).has(this.configuration.self))
      throw new Error(`shows a vote that it never said: ${name}`);
  }

  /** The state after `place` has taken the place of what was executed. */
  installed(place: number): void {
    this.lastExecuted = place;
  }

  private onReply(effect: Reply): void {
    const { statement, items } = answerIn(effect);
    const place = statement.sequence;
    if (place > this.lastExecuted) throw new Error(`${place} was answered before it was executed`);
    if (!this.certified.has(place) && !this.isCommittedLocal(place)) {
      throw new Error(`${place} was answered, and no q COMMITs are kept`);
    }
    if (items.length === 0) throw new Error('an answer to nothing');
    if (effect.kind === 'reply-again') return;
    for (const item of items) {
      const leaf = effect.replies.leaves[item.index];
      if (leaf?.requestDigest !== item.requestDigest) throw new Error('a reply at the wrong leaf');
    }
  }

  private assertConsistent({
    kind,
    view,
    sequence,
    digest,
  }: Omit<Subject, 'view'> & { kind: string; view: number }): void {
    const place = `${kind}/${view}/${sequence}`;
    const before = this.said.get(place);
    if (before === undefined && kind !== 'checkpoint' && view < this.viewAskedFor) {
      throw new Error(`of a view that was given up: ${place}`);
    }
    if (before !== undefined && before !== digest) throw new Error(`two words for ${place}: ${before} and ${digest}`);
    this.said.set(place, digest);
  }

  private pledging({ view }: Subject): 'pre-prepare' | 'prepare' {
    return primaryOf(view, this.configuration.n) === this.configuration.self ? 'pre-prepare' : 'prepare';
  }

  private isAccepted(about: Subject): boolean {
    return this.votes('pre-prepare', about).has(primaryOf(about.view, this.configuration.n));
  }

  private isPrepared(about: Subject): boolean {
    const backups = new Set(this.votes('prepare', about));
    backups.delete(primaryOf(about.view, this.configuration.n));
    return this.isAccepted(about) && backups.size >= this.configuration.q - 1;
  }

  private isCommittedLocal(place: number): boolean {
    return [...this.signers].some(([name, signers]) => {
      const [kind, , sequence] = name.split('/');
      return kind === 'commit' && Number(sequence) === place && signers.size >= this.configuration.q;
    });
  }

  private votes(kind: PhaseMessage['kind'], about: Subject): ReadonlySet<number> {
    return this.signers.get(subjectOf(kind, about)) ?? new Set();
  }
}

function assertContradiction(first: PhaseMessage, second: PhaseMessage): void {
  const isOnePlace = first.kind === second.kind && first.view === second.view && first.sequence === second.sequence;
  if (!isOnePlace || first.replica !== second.replica) throw new Error('evidence against nobody');
  if (first.digest === second.digest) throw new Error('evidence of a repetition');
}

function isPhase(message: ReplicaMessage): message is PhaseMessage {
  return message.kind === 'pre-prepare' || message.kind === 'prepare' || message.kind === 'commit';
}

function subjectOf(kind: PhaseMessage['kind'], { view, sequence, digest }: Subject): string {
  return `${kind}/${view}/${sequence}/${digest}`;
}

function nameOf(message: ReplicaMessage): string {
  const view = 'view' in message ? message.view : 0;
  const place = 'sequence' in message ? `${message.sequence}/${message.digest}` : '';
  return `${message.kind}/${view}/${place}/${message.replica}`;
}
