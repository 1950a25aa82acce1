import type { Reply } from '../crypto/receipt.js';
import { QuorateError } from '../errors.js';

/** Replies that are kept; the oldest give way, and the replicas answer for them. */
const repliesMax = 1_000;

/**
 * The last replies to requests with an idempotency key. The replicas would give the same result again, perhaps with
 * other f+1 signatures; from here it is the same reply to the byte.
 */
export class KeyedReplies {
  private readonly replies = new Map<string, { readonly operation: Uint8Array; readonly reply: Reply }>();

  /** @throws {QuorateError} `idempotency-conflict` when the key was used for another operation */
  find(client: string, operation: Uint8Array): Reply | undefined {
    const known = this.replies.get(client);
    if (known === undefined) return undefined;
    if (Buffer.compare(known.operation, operation) === 0) return known.reply;
    throw new QuorateError('idempotency-conflict', 'this Idempotency-Key was used for another operation');
  }

  keep(client: string, operation: Uint8Array, reply: Reply): void {
    this.replies.set(client, { operation, reply });
    for (const oldest of this.replies.keys()) {
      if (this.replies.size <= repliesMax) return;
      this.replies.delete(oldest);
    }
  }
}
