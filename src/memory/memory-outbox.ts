import { QuorateError } from '../errors.js';
import { invariant } from '../pbft/invariant.js';
import type { Publication } from '../ports/bus.js';
import type { LogWrite } from '../ports/message-log.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { MemoryBroker } from './memory-broker.js';
import { logKey } from './memory-store.js';

/**
 * Carries a replica's turns to a memory broker: writes and publications at once where log and bus are one, one after the
 * other where they are two, so that a crash can fall between them. Waits until a refused write is taken.
 */
export class MemoryOutbox implements Outbox {
  trouble: string | undefined;
  private isSending = false;
  private isClosed = false;
  private giveUp: (() => void) | undefined;

  constructor(
    private readonly bus: MemoryBroker,
    private readonly replica: string,
    /** Equal to `bus` when one broker serves for both. */
    private readonly log: MemoryBroker = bus,
  ) {}

  async send({ writes, publications }: Turn): Promise<void> {
    invariant(!this.isSending, 'a turn is sent before the last one is out');
    this.isSending = true;
    try {
      await this.carryOut(writes, publications);
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

  private async carryOut(writes: readonly LogWrite[], publications: readonly Publication[]): Promise<void> {
    const write = (): void => {
      this.write(writes);
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
      if (writes.length > 0) await this.happen(this.log, true, write);
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

  private write(writes: readonly LogWrite[]): void {
    for (const { place, fields } of writes) {
      for (const [field, value] of Object.entries(fields)) {
        this.log.store.write(logKey(this.replica, place), field, value);
      }
    }
  }
}
