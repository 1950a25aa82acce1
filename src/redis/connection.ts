import type { Socket } from 'node:net';
import { Redis, ReplyError } from 'ioredis';
import { QuorateError } from '../errors.js';
import { Connector } from './connector.js';
import { within } from './within.js';

/** A command or a heartbeat that is not answered within this time means that the connection is gone, milliseconds. */
export const commandTimeoutMs = 2_000;
const heartbeatMs = 1_000;
/** A timer this much too late says that this process stood still itself: an answer may be there, unread, milliseconds. */
const stallMs = 500;
/** To open a connection, with whatever Redis does first, such as to load its data, milliseconds. */
const openTimeoutMs = 20_000;
const reconnectDelayMaxMs = 1_000;

/**
 * One connection to Redis which notices its own death. ioredis alone does not: on a black-holed connection, which
 * takes bytes and never answers, it would wait for ever. So a heartbeat is sent, and a connection that does not answer
 * is destroyed and made anew.
 */
export class Connection {
  readonly redis: Redis;
  private readonly heartbeat: NodeJS.Timeout;
  private isBeating = false;
  private isClosed = false;

  constructor(url: string) {
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false, // what cannot be sent now is the caller's to repeat
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0, // what was not answered when the connection broke has failed, at once
      disconnectTimeout: 0,
      connectTimeout: commandTimeoutMs,
      commandTimeout: commandTimeoutMs,
      retryStrategy,
      ...(isEncrypted(url) ? {} : { Connector }),
    };
    this.redis = isSocketPath(url) ? new Redis({ ...options, path: socketPath(url) }) : new Redis(url, options);
    // Errors of a lost connection; what they mean shows in `connected` and in the commands that fail.
    this.redis.on('error', () => undefined);
    this.heartbeat = setInterval(() => void this.beat(), heartbeatMs);
    this.heartbeat.unref();
  }

  get connected(): boolean {
    return this.redis.status === 'ready' && !this.isClosed;
  }

  /** @throws {QuorateError} `bus-unavailable` when Redis cannot be reached now */
  async open(): Promise<void> {
    try {
      const tooLate = (): Error => new Error(`it was not ready within ${String(openTimeoutMs)} ms`);
      await within(openTimeoutMs, this.redis.connect(), tooLate);
    } catch (error) {
      this.redis.disconnect();
      throw new QuorateError(
        'bus-unavailable',
        `Redis does not answer: ${(error as Error).message}`,
        {},
        { cause: error },
      );
    }
  }

  /** Ends this connection at once, for one that does not answer; a new one is made. */
  renew(): void {
    this.socket?.destroy();
  }

  async close(): Promise<void> {
    clearInterval(this.heartbeat);
    const isOpen = this.connected;
    this.isClosed = true;
    if (isOpen) await this.finish().catch(() => undefined);
    this.redis.disconnect();
    this.renew();
  }

  protected get socket(): Socket | undefined {
    return (this.redis as unknown as { stream?: Socket }).stream;
  }

  /** Resolves when Redis has answered, whatever it says: one that cannot save, say, is there all the same. */
  protected async ping(): Promise<void> {
    await this.redis.ping().catch((error: unknown) => {
      if (!(error instanceof ReplyError)) throw error;
    });
  }

  /** Resolves when what was sent has been carried out. */
  protected async finish(): Promise<void> {
    await this.redis.quit();
  }

  private async beat(): Promise<void> {
    if (this.isBeating || !this.connected) return;
    this.isBeating = true;
    const startedAt = performance.now();
    try {
      await this.ping();
    } catch {
      // Timers run before what has arrived is read: a process that got no CPU would else cut one good connection after the
      // other. The next beat tells.
      const hasStalled = performance.now() - startedAt > commandTimeoutMs + stallMs;
      if (!hasStalled) this.renew();
    } finally {
      this.isBeating = false;
    }
  }
}

function retryStrategy(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 5), reconnectDelayMaxMs);
}

/** ioredis takes its options from a URL's query, too. */
function isEncrypted(url: string): boolean {
  return /^rediss:|[?&]tls=/.test(url);
}

function socketPath(url: string): string {
  return url.replace(/^unix:(\/\/)?/, '');
}

function isSocketPath(url: string): boolean {
  return url.startsWith('/') || url.startsWith('unix:');
}

/**
 * A Redis that evicts keys would silently lose votes (rule 33).
 * @throws {QuorateError} `unsafe-redis`
 */
export async function assertNoEviction(connection: Connection): Promise<void> {
  const info = await connection.redis.info('memory');
  const policy = /^maxmemory_policy:(.*)$/m.exec(info)?.[1]?.trim();
  if (policy === 'noeviction') return;
  throw new QuorateError(
    'unsafe-redis',
    `Redis has maxmemory-policy ${policy ?? 'unknown'}; it must be noeviction, or votes may vanish. ` +
      'Set it with: redis-cli config set maxmemory-policy noeviction',
    { setting: 'maxmemory-policy', value: policy, expected: 'noeviction' },
  );
}

/** A dead peer is noticed by probes of the operating system; BullMQ has its own watch over commands that block. */
const keepAliveMs = 5_000;

/**
 * A connection for a worker of BullMQ, which reads by commands that block and waits for as long as Redis is away. The
 * worker makes a second one like it, and closes neither: that is the caller's.
 */
export function workerRedis(url: string): Redis {
  const options = {
    maxRetriesPerRequest: null, // as BullMQ demands: its commands wait for the next connection
    connectTimeout: commandTimeoutMs,
    keepAlive: keepAliveMs,
    retryStrategy,
  };
  const redis = isSocketPath(url) ? new Redis({ ...options, path: socketPath(url) }) : new Redis(url, options);
  redis.on('error', () => undefined); // the worker says so
  return redis;
}
