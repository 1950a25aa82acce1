import { setTimeout as delay } from 'node:timers/promises';
import { QuorateError } from '../errors.js';
import type { Publication } from '../ports/bus.js';
import type { LogWrite } from '../ports/message-log.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';

const retryMs = 100;

/** What Redis says when it refuses a write, as opposed to a connection that broke. */
const refusal = /^(OOM|READONLY|MISCONF|EXECABORT|NOPERM|WRONGTYPE|NOREPLICAS|MOVED|CLUSTERDOWN|ERR) /;

/**
 * Carries turns to Redis. Log and bus in one Redis: one MULTI with the HSETs before the PUBLISHes, so that a refused
 * write (OOM, READONLY, MISCONF) aborts the publications with it; Redis flushes its append-only file before it answers
 * or delivers anything. Two Redises: the log first, then, once that is acknowledged, the bus.
 */
export class RedisOutbox implements Outbox {
  trouble: string | undefined;
  private isClosed = false;

  constructor(
    private readonly bus: Connection,
    /** Equal to `bus` when one Redis serves for both. */
    private readonly log: Connection,
    private readonly keys: Keys,
    private readonly replica: string,
  ) {}

  async send(turn: Turn): Promise<void> {
    for (;;) {
      if (this.isClosed) throw new QuorateError('shutting-down', 'the outbox is closed');
      try {
        await this.attempt(turn);
        this.trouble = undefined;
        return;
      } catch (error) {
        this.trouble = this.explain(error as Error);
        await delay(retryMs);
      }
    }
  }

  announce(publications: readonly Publication[]): void {
    for (const { channel, payload } of publications) {
      this.bus.redis.publish(this.keys.channel(channel), payload as Buffer).catch(() => undefined);
    }
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  private async attempt({ writes, publications }: Turn): Promise<void> {
    if (this.bus === this.log) {
      await this.transact(this.bus, writes, publications);
    } else {
      if (writes.length > 0) await this.transact(this.log, writes, []);
      if (publications.length > 0) await this.transact(this.bus, [], publications);
    }
  }

  private async transact(
    connection: Connection,
    writes: readonly LogWrite[],
    publications: readonly Publication[],
  ): Promise<void> {
    // Redis that is out of memory queues nothing in a MULTI, not even what writes nothing.
    const transaction = writes.length > 0 ? connection.redis.multi() : connection.redis.pipeline();
    for (const { place, fields } of writes) {
      const key = place === 'replica' ? this.keys.replica(this.replica) : this.keys.log(this.replica, place);
      transaction.hset(key, fields as Record<string, Buffer>);
    }
    for (const { channel, payload } of publications) {
      transaction.publish(this.keys.channel(channel), payload as Buffer);
    }
    const results = await transaction.exec();
    if (results === null) throw new Error('ERR the transaction was discarded');
    for (const [error] of results) if (error) throw error;
  }

  private explain(error: Error & { previousErrors?: readonly Error[] }): string {
    const cause = error.previousErrors?.[0] ?? error; // why EXEC was aborted
    if (refusal.test(cause.message)) return `Redis refuses writes: ${cause.message}`;
    if (error.message.includes('timed out')) {
      this.bus.renew();
      this.log.renew();
    }
    return `Redis cannot be reached: ${error.message}`;
  }
}
