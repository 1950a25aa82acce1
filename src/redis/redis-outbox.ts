import { setTimeout as delay } from 'node:timers/promises';
import { QuorateError } from '../errors.js';
import type { Publication } from '../ports/bus.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import { errorIn, type DirectConnection } from './direct-connection.js';
import type { Keys } from './keys.js';
import { publishing } from './redis-publisher.js';
import type { Command } from './resp.js';

const retryMs = 100;
/**
 * Bytes that are published at once. Who hears on the connection that it speaks on gets what it publishes back, and Redis cuts off
 * who has 32 MiB of that waiting (`client-output-buffer-limit pubsub`): such a turn would be cut off each time.
 */
const echoBytesMax = 8 * 1024 * 1024;

/** What Redis says when it refuses a write, as opposed to a connection that broke. */
const refusal = /^(OOM|READONLY|MISCONF|EXECABORT|NOPERM|WRONGTYPE|NOREPLICAS|MOVED|CLUSTERDOWN|ERR) /;

/**
 * Carries turns to Redis. Log and bus in one Redis: one MULTI with the UNLINKs, HDELs and HSETs before the PUBLISHes, so that a refused
 * write (OOM, READONLY, MISCONF) aborts the publications with it; Redis flushes its append-only file before it answers
 * or delivers anything. Two Redises: the log first, then, once that is acknowledged, the bus.
 */
export class RedisOutbox implements Outbox {
  trouble: string | undefined;
  private failures = 0;
  private isClosed = false;

  constructor(
    private readonly bus: DirectConnection,
    /** Equal to `bus` when one Redis serves for both. */
    private readonly log: DirectConnection,
    private readonly keys: Keys,
    private readonly replica: string,
  ) {}

  /** A Redis that refuses writes may be one that has become another's replica, and has its data. */
  get interruptions(): number {
    return this.log.losses + this.failures;
  }

  async send(turn: Turn): Promise<void> {
    for (;;) {
      if (this.isClosed) throw new QuorateError('shutting-down', 'the outbox is closed');
      try {
        await this.attempt(turn);
        this.trouble = undefined;
        return;
      } catch (error) {
        this.failures++;
        this.trouble = this.explain(error as Error);
        await delay(retryMs);
      }
    }
  }

  announce(publications: readonly Publication[]): void {
    this.bus.announce(publishing(publications, this.keys)).catch(() => undefined);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  private async attempt(turn: Turn): Promise<void> {
    const carriedOut = this.carryingOut(turn);
    const [published, ...rest] = inParts(publishing(turn.publications, this.keys));
    if (this.bus === this.log) {
      await transact(this.log, [...carriedOut, ...published], turn.writes.length > 0);
    } else {
      // What is only said waits for no log.
      if (carriedOut.length > 0) await transact(this.log, carriedOut, turn.writes.length > 0);
      await transact(this.bus, published, false);
    }
    for (const part of rest) await transact(this.bus, part, false);
  }

  /** The removals, and after them the writes. */
  private carryingOut({ removals, writes }: Turn): Command[] {
    const commands: Command[] = [];
    for (const removal of removals) {
      const key = this.keys.place(this.replica, removal.place);
      if (removal.place !== 'state' || removal.fields === 'all') commands.push(['UNLINK', key]);
      else commands.push(['HDEL', key, ...removal.fields]);
    }
    for (const { place, fields } of writes) {
      const command: (string | Uint8Array)[] = ['HSET', this.keys.place(this.replica, place)];
      for (const [field, value] of fields) command.push(field, value);
      commands.push(command);
    }
    return commands;
  }

  private explain({ message }: Error): string {
    return refusal.test(message) ? `Redis refuses writes: ${message}` : `Redis cannot be reached: ${message}`;
  }
}

/** The commands in their order, one after the other in parts that are to be answered before the next goes out. */
function inParts(commands: readonly Command[]): [Command[], ...Command[][]] {
  const parts: [Command[], ...Command[][]] = [[]];
  let last = parts[0];
  let bytes = 0;
  for (const command of commands) {
    const size = command.reduce((sum, { length }) => sum + length, 0);
    if (last.length > 0 && bytes + size > echoBytesMax) {
      parts.push((last = []));
      bytes = 0;
    }
    last.push(command);
    bytes += size;
  }
  return parts;
}

/**
 * @param isWriting Redis that is out of memory queues nothing in a MULTI, not even what writes nothing or makes room: only what
 *   writes is sent as one
 * @throws {Error} the first that a command came to: in a MULTI, why EXEC was aborted
 */
async function transact(connection: DirectConnection, commands: readonly Command[], isWriting: boolean): Promise<void> {
  if (commands.length === 0) return;
  const replies = await connection.request(isWriting ? [['MULTI'], ...commands, ['EXEC']] : commands);
  const error = errorIn(replies);
  if (error !== undefined) throw error;
  if (isWriting && !Array.isArray(replies.at(-1))) throw new Error('ERR the transaction was discarded');
}
