import type { Membership } from '../crypto/membership.js';
import type { QueryReply } from '../wire/service.js';
import type { QueryAnswer } from './cluster-client.js';
import type { Json } from '../wire/json.js';

/** What a replica answers; that it answers this very question was looked at before. */
type Answer = Omit<QueryReply, 'question'>;

/**
 * One question to all replicas. A linearizable answer needs q equal answers of distinct replicas, of which at least f+1
 * are from a state that is no older than anything that any of the q has prepared (docs/protocol.md, rule 13): what a
 * client was told before the question is prepared at q replicas, so one of the q that answer is correct and says so.
 */
export class QueryRound {
  readonly promise: Promise<QueryAnswer | undefined>;
  private settle!: (answer: QueryAnswer | undefined) => void;
  private readonly answers = new Map<number, Answer>();

  constructor(
    readonly nonce: number,
    readonly consistency: 'linearizable' | 'local',
    /** When to give up, milliseconds since 1970. */
    readonly deadline: number,
    private readonly membership: Membership,
  ) {
    this.promise = new Promise((resolve) => (this.settle = resolve));
  }

  add(replica: number, answer: Answer): void {
    if (this.answers.has(replica) || !isJson(answer.value)) return;
    this.answers.set(replica, answer);
    const same = [...this.answers].filter(([, other]) => textOf(other) === textOf(answer));
    const isEnough = this.consistency === 'local' || this.isLinearizable(same.map(([, other]) => other));
    if (isEnough) this.settle(this.answerOf(same));
    else if (this.answers.size === this.membership.n) this.giveUp();
  }

  /** No answer: the caller orders the read instead. */
  giveUp(): void {
    this.settle(undefined);
  }

  private isLinearizable(same: readonly Answer[]): boolean {
    const { q, f } = this.membership;
    if (same.length < q) return false;
    // Any q of them will do: those that have prepared least ask the least of the others.
    const chosen = [...same].sort((a, b) => a.lastPrepared - b.lastPrepared).slice(0, q);
    const floor = Math.max(...chosen.map(({ lastPrepared }) => lastPrepared));
    return chosen.filter(({ lastExecuted }) => lastExecuted >= floor).length > f;
  }

  private answerOf(same: readonly (readonly [number, Answer])[]): QueryAnswer {
    const [first] = same;
    const value = first?.[1].value;
    return {
      value: value === undefined ? undefined : (JSON.parse(value.toString('utf8')) as Json),
      sequence: Math.max(...same.map(([, { lastExecuted }]) => lastExecuted)),
      consistency: this.consistency,
      replicas: same.map(([replica]) => this.membership.replicas[replica]?.name ?? ''),
    };
  }
}

/** A faulty replica may answer with any bytes. */
function isJson(value: Buffer | undefined): boolean {
  if (value === undefined) return true;
  try {
    JSON.parse(value.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

function textOf({ value }: Answer): string {
  return value === undefined ? 'none' : `some:${value.toString('hex')}`;
}
