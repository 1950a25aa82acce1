import { setTimeout as delay } from 'node:timers/promises';
import { QuorateError } from '../errors.js';
import type { Publication } from '../ports/bus.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';

const retryMs = 100;

/** What Redis says when it refuses a write, as opposed to a connection that broke. */
const refusal = /^(OOM|READONLY|MISCONF|EXECABORT|NOPERM|WRONGTYPE|NOREPLICAS|MOVED|CLUSTERDOWN|ERR) /;

/**
 * Carries turns to Redis. Log and bus in one Redis: one MULTI with the UNLINKs, HDELs and HSETs before the PUBLISHes, so that a refused
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

  private async attempt({ removals, writes, publications }: Turn): Promise<void> {
    if (this.bus === this.log) {
      await this.transact(this.bus, { removals, writes, publications });
    } else {
      if (removals.length + writes.length > 0) await this.transact(this.log, { removals, writes, publications: [] });
      if (publications.length > 0) await this.transact(this.bus, { removals: [], writes: [], publications });
    }
  }

  private async transact(connection: Connection, { removals, writes, publications }: Turn): Promise<void> {
    // Redis that is out of memory queues nothing in a MULTI, not even what writes nothing or makes room.
    const transaction = writes.length > 0 ? connection.redis.multi() : connection.redis.pipeline();
    for (const removal of removals) {
      const key = this.keys.place(this.replica, removal.place);
      if (removal.place !== 'state' || removal.fields === 'all') transaction.unlink(key);
      else transaction.hdel(key, ...removal.fields);
    }
    for (const { place, fields } of writes) {
      transaction.hset(this.keys.place(this.replica, place), fields as Record<string, Buffer>);
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
