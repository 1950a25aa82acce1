import type { Publication } from './bus.js';
import type { LogWrite, Removal } from './message-log.js';

/** What one turn of a replica says: the log is written before anything is published (rule 27). */
export interface Turn {
  /** Carried out before the writes. */
  readonly removals: readonly Removal[];
  readonly writes: readonly LogWrite[];
  readonly publications: readonly Publication[];
}

/**
 * Carries turns out, in the order given. All writes and removals of a turn are durable before any of its publications,
 * or of a later turn, can be seen; if a write is refused nothing of the turn is removed or published.
 */
export interface Outbox {
  /**
   * Resolves when the turn is durable and published. Retries by itself over lost connections and refused writes, so
   * that a turn may be published twice. One turn at a time: the next `send` only after this one has resolved.
   * Rejects only after `close`.
   */
  send(turn: Turn): Promise<void>;
  /** Publishes at once, past the turns: for what promises nothing. Lost when the bus cannot be reached. */
  announce(publications: readonly Publication[]): void;
  /** Why the current turn does not get through, `undefined` when all is well. */
  readonly trouble: string | undefined;
  /**
   * Grows when the log was out of reach, or refused something: it may have lost what it had acknowledged before. Of a turn that was
   * carried out after such a loss, this has grown before `send` resolves.
   */
  readonly interruptions: number;
  close(): Promise<void>;
}
