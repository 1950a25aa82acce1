import type { Reply } from '../crypto/receipt.js';
import { QuorateError } from '../errors.js';
import { Recent } from '../wire/recent.js';

/** Replies that are kept at most; the oldest give way, and the replicas answer for them. */
const repliesMax = 1_000;

/**
 * The last replies to requests with an idempotency key. The replicas would give the same result again, perhaps with
 * other f+1 signatures; from here it is the same reply to the byte.
 */
export class KeyedReplies {
  private readonly replies = new Recent<{ readonly operation: Uint8Array; readonly reply: Reply }>(repliesMax);

  /** @throws {QuorateError} `idempotency-conflict` when the key was used for another operation */
  find(client: string, operation: Uint8Array): Reply | undefined {
    const known = this.replies.get(client);
    if (known === undefined) return undefined;
    if (Buffer.compare(known.operation, operation) === 0) return known.reply;
    throw new QuorateError('idempotency-conflict', 'this Idempotency-Key was used for another operation');
  }

  keep(client: string, operation: Uint8Array, reply: Reply): void {
    this.replies.add(client, { operation, reply });
  }
}
