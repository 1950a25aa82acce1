import { QuorateError } from '../errors.js';
import type { MemoryPromiseKeeper } from '../memory/memory-promise-keeper.js';
import type { Promised } from '../pbft/messages.js';
import type { Publication } from '../ports/bus.js';
import type { LogWrite, MessageLog } from '../ports/message-log.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { KeptPromise, PromiseKeeper } from '../ports/promise-keeper.js';
import type { SimulatedRedis } from './simulated-redis.js';
import type { VirtualTime } from './virtual-time.js';

/** Between which two effects a process dies. */
export type Death = 'before-promises' | 'after-promises' | 'after-log' | 'after-publish';

/** One process: its ports do nothing any more once it is dead. */
export class Process {
  isAlive = true;
  /** Where it is to die, the next time that it gets there. */
  doom: Death | undefined;

  constructor(
    readonly name: string,
    /** Ends it. */
    readonly die: (death: Death) => void,
  ) {}
}

/** How long the ways to Redis and back take, milliseconds. */
export interface Latency {
  toLog(): number;
  toBus(): number;
  back(): number;
}

/** After so long a refused turn is tried again, milliseconds. */
const retryMs = 40;

export interface OutboxOptions {
  readonly time: VirtualTime;
  readonly process: Process;
  readonly latency: Latency;
  readonly bus: SimulatedRedis;
  /** Equal to `bus` when one Redis serves for both. */
  readonly log: SimulatedRedis;
  publish(publications: readonly Publication[]): void;
  /** Told what the log has taken. */
  onWritten(writes: readonly LogWrite[]): void;
  /** What was on its way when the process died may still get there. */
  isSentByTheDead(): boolean;
}

/** Carries turns to Redis as `RedisOutbox` does, one at a time, and lets its process die between any two effects. */
export class SimulatedOutbox implements Outbox {
  trouble: string | undefined;
  private refusals = 0;

  constructor(private readonly options: OutboxOptions) {}

  get interruptions(): number {
    return this.options.log.outages + this.refusals;
  }

  send(turn: Turn): Promise<void> {
    return new Promise((resolve) => {
      if (!this.options.process.isAlive) return;
      this.write(turn, () => {
        const { time, latency, process } = this.options;
        time.after(latency.back(), () => {
          if (process.isAlive) resolve();
        });
      });
    });
  }

  announce(publications: readonly Publication[]): void {
    const { process, bus, time, latency } = this.options;
    if (!process.isAlive || publications.length === 0) return;
    time.after(latency.toBus(), () => {
      if (bus.outage === undefined && (process.isAlive || this.options.isSentByTheDead()))
        this.options.publish(publications);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private write(turn: Turn, done: () => void): void {
    const { time, process, latency, log, bus } = this.options;
    const isWriting = turn.writes.length > 0 || turn.removals.length > 0;
    const isSplit = log !== bus;
    if (!isWriting && isSplit) {
      this.publish(turn, done);
      return;
    }
    time.after(latency.toLog(), () => {
      if (!process.isAlive && !this.options.isSentByTheDead()) return;
      this.trouble = log.outage ?? (isWriting ? log.refusal : undefined);
      if (this.trouble !== undefined) {
        this.refusals++;
        this.retry(() => {
          this.write(turn, done);
        });
        return;
      }
      log.write(process.name, turn.removals, turn.writes);
      this.options.onWritten(turn.writes);
      if (this.isDoomed('after-log') && isSplit) return;
      if (isSplit) this.publish(turn, done);
      else this.finish(turn, done);
    });
  }

  private publish(turn: Turn, done: () => void): void {
    const { time, process, latency, bus } = this.options;
    time.after(latency.toBus(), () => {
      if (!process.isAlive && !this.options.isSentByTheDead()) return;
      this.trouble = bus.outage;
      if (this.trouble === undefined) this.finish(turn, done);
      else {
        this.retry(() => {
          this.publish(turn, done);
        });
      }
    });
  }

  private finish(turn: Turn, done: () => void): void {
    this.options.publish(turn.publications);
    if (!this.isDoomed('after-publish')) done();
  }

  private retry(again: () => void): void {
    const { time, process } = this.options;
    time.after(retryMs, () => {
      if (process.isAlive) again();
    });
  }

  private isDoomed(death: Death): boolean {
    const { process } = this.options;
    if (!process.isAlive || process.doom !== death) return false;
    process.die(death);
    return true;
  }
}

/** Reads a replica's hashes at once. */
export class SimulatedMessageLog implements MessageLog {
  constructor(
    private readonly redis: SimulatedRedis,
    private readonly replica: string,
  ) {}

  read(sequence: number): Promise<Readonly<Record<string, Buffer>>> {
    return this.hash(sequence);
  }

  readReplica(): Promise<Readonly<Record<string, Buffer>>> {
    return this.hash('replica');
  }

  async *scanState(): AsyncGenerator<readonly [string, Buffer], void, undefined> {
    this.assertReachable();
    for (const entry of [...(this.redis.hashesOf(this.replica).get('state') ?? [])]) yield await Promise.resolve(entry);
  }

  private hash(place: number | 'replica'): Promise<Readonly<Record<string, Buffer>>> {
    if (this.redis.outage !== undefined) return Promise.reject(new QuorateError('bus-unavailable', this.redis.outage));
    return Promise.resolve(Object.fromEntries(this.redis.hashesOf(this.replica).get(place) ?? []));
  }

  private assertReachable(): void {
    if (this.redis.outage !== undefined) throw new QuorateError('bus-unavailable', this.redis.outage);
  }
}

/** What one process may do to the promises in its data folder, which outlive it. */
export class ProcessPromises implements PromiseKeeper {
  constructor(
    private readonly folder: MemoryPromiseKeeper,
    private readonly process: Process,
    /** Told what is promised. */
    private readonly onKept: (promises: readonly Promised[]) => void,
  ) {}

  get settled(): number {
    return this.folder.settled;
  }

  get isLost(): boolean {
    return this.folder.isLost;
  }

  recall(settled: number, view: number): void {
    if (this.process.isAlive) this.folder.recall(settled, view);
  }

  keep(promises: readonly KeptPromise[]): void {
    const { process } = this;
    if (!process.isAlive) return;
    if (promises.length > 0 && process.doom === 'before-promises') {
      process.die('before-promises');
      return;
    }
    this.folder.keep(promises);
    this.onKept(promises);
    if (promises.length > 0 && process.doom === 'after-promises') process.die('after-promises');
  }

  read(): readonly KeptPromise[] {
    return this.folder.read();
  }

  forget(upTo: number): void {
    if (this.process.isAlive) this.folder.forget(upTo);
  }
}
