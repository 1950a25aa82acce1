import { QuorateError } from '../errors.js';
import { invariant } from '../pbft/invariant.js';
import type { Publication } from '../ports/bus.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { MemoryBroker } from './memory-broker.js';
import { logKey } from './memory-store.js';

/**
 * Carries a replica's turns to a memory broker: writes and publications at once where log and bus are one, one after the
 * other where they are two, so that a crash can fall between them. Waits until a refused write is taken.
 */
export class MemoryOutbox implements Outbox {
  trouble: string | undefined;
  private failures = 0;
  private isSending = false;
  private isClosed = false;
  private giveUp: (() => void) | undefined;

  constructor(
    private readonly bus: MemoryBroker,
    private readonly replica: string,
    /** Equal to `bus` when one broker serves for both. */
    private readonly log: MemoryBroker = bus,
  ) {}

  get interruptions(): number {
    return this.log.cutsOf(this.replica) + this.failures;
  }

  async send(turn: Turn): Promise<void> {
    invariant(!this.isSending, 'a turn is sent before the last one is out');
    this.isSending = true;
    try {
      await this.carryOut(turn);
    } finally {
      this.isSending = false;
    }
  }

  announce(publications: readonly Publication[]): void {
    if (!this.isClosed) this.bus.publish(this.replica, publications);
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.giveUp?.();
    return Promise.resolve();
  }

  private async carryOut(turn: Turn): Promise<void> {
    const { removals, writes, publications } = turn;
    const write = (): void => {
      this.write(turn);
    };
    const publish = (): void => {
      this.bus.publish(this.replica, publications);
    };
    if (this.log === this.bus) {
      await this.happen(this.bus, writes.length > 0, () => {
        write();
        publish();
      });
    } else {
      if (removals.length + writes.length > 0) await this.happen(this.log, writes.length > 0, write);
      await this.happen(this.bus, false, publish);
    }
  }

  /** Resolves once `run` was run, which is later, and after any fault has gone. */
  private happen(broker: MemoryBroker, isWrite: boolean, run: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.giveUp = () => {
        reject(new QuorateError('shutting-down', 'the outbox is closed'));
      };
      const attempt = (): void => {
        broker.queue.push({ kind: 'turn', from: this.replica }, () => {
          if (this.isClosed) return;
          this.trouble = isWrite ? broker.writeFault(this.replica) : broker.busFault(this.replica);
          if (this.trouble !== undefined) {
            this.failures++;
            broker.onChange(attempt);
            return;
          }
          run();
          resolve();
        });
      };
      attempt();
      if (this.isClosed) this.giveUp();
    });
  }

  private write({ removals, writes }: Turn): void {
    for (const removal of removals) {
      const key = logKey(this.replica, removal.place);
      if (removal.place !== 'state' || removal.fields === 'all') this.log.store.delete(key);
      else for (const field of removal.fields) this.log.store.deleteField(key, field);
    }
    for (const { place, fields } of writes) {
      for (const [field, value] of fields) {
        this.log.store.write(logKey(this.replica, place), field, value);
      }
    }
  }
}
