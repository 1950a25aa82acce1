import { sha256 } from '../crypto/digest.js';
import type { Membership } from '../crypto/membership.js';
import { buildReply, type Reply } from '../crypto/receipt.js';
import { QuorateError } from '../errors.js';
import type { ReplyStatement } from '../pbft/effects.js';
import type { ProvenReply } from '../wire/reply.js';

/** One replica's verified reply to one request. */
export interface ReplicaReply {
  readonly replica: number;
  /** Base64, as receipts have it. */
  readonly signature: string;
  readonly statement: ReplyStatement;
  readonly reply: ProvenReply;
}

/** A request that waits for f+1 matching replies. */
export class Submission {
  readonly promise: Promise<Reply>;
  private resolve!: (reply: Reply) => void;
  private reject!: (error: QuorateError) => void;
  /** One reply of each replica: the first counts (rule 13). */
  private replies: readonly ReplicaReply[] = [];
  isSettled = false;

  constructor(
    readonly client: string,
    readonly timestamp: number,
    readonly operation: Uint8Array,
    /** When it was submitted, and when to give up, milliseconds since 1970. */
    readonly startedAt: number,
    readonly deadline: number,
    private readonly membership: Membership,
    /** Told once, when this is settled: with the reply, if there is one. */
    private readonly onSettled: (submission: Submission, reply?: Reply) => void = () => undefined,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** The replicas that have replied, in whatever way. */
  get repliers(): readonly number[] {
    return this.replies.map(({ replica }) => replica);
  }

  /** Counts a verified reply; settles on the f+1st that says the same. */
  add(reply: ReplicaReply): void {
    if (this.isSettled || this.hasReplied(reply.replica)) return;
    this.replies = [...this.replies, reply];
    if (this.replies.length <= this.membership.f) return;
    const same = this.sayingTheSame(reply);
    if (same.length <= this.membership.f) return;
    if (reply.reply.executed.operationDigest === sha256(this.operation)) this.succeed(reply, same);
    else this.fail(new QuorateError('idempotency-conflict', 'this Idempotency-Key was used for another operation'));
  }

  private hasReplied(replica: number): boolean {
    for (const reply of this.replies) if (reply.replica === replica) return true;
    return false;
  }

  private sayingTheSame(reply: ReplicaReply): readonly ReplicaReply[] {
    const isSame = (other: ReplicaReply): boolean => saySame(other, reply);
    return this.replies.every(isSame) ? this.replies : this.replies.filter(isSame); // mostly all do
  }

  fail(error: QuorateError): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.reject(error);
    this.onSettled(this);
  }

  private succeed({ reply, statement }: ReplicaReply, signatures: readonly ReplicaReply[]): void {
    this.isSettled = true;
    const built = buildReply({ membership: this.membership, statement, reply, signatures });
    this.resolve(built);
    this.onSettled(this, built);
  }
}

/** Whether two replies to one request put it in the same place of the order, with the same result. */
function saySame(a: ReplicaReply, b: ReplicaReply): boolean {
  const [one, other] = [a.statement, b.statement];
  const isSamePlace = one.view === other.view && one.sequence === other.sequence;
  return (
    isSamePlace &&
    one.root === other.root &&
    one.size === other.size &&
    a.reply.executed.index === b.reply.executed.index
  );
}
