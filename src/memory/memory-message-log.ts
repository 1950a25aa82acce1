import { QuorateError } from '../errors.js';
import type { MessageLog } from '../ports/message-log.js';
import type { MemoryBroker } from './memory-broker.js';
import { logKey } from './memory-store.js';

/** Reads what a `MemoryOutbox` wrote. */
export class MemoryMessageLog implements MessageLog {
  constructor(
    private readonly broker: MemoryBroker,
    private readonly replica: string,
  ) {}

  read(sequence: number): Promise<Readonly<Record<string, Buffer>>> {
    return this.readHash(logKey(this.replica, sequence));
  }

  readReplica(): Promise<Readonly<Record<string, Buffer>>> {
    return this.readHash(logKey(this.replica, 'replica'));
  }

  async *scanState(): AsyncGenerator<readonly [field: string, value: Buffer], undefined, undefined> {
    yield* Object.entries(await this.readHash(logKey(this.replica, 'state')));
    return undefined;
  }

  private readHash(key: string): Promise<Readonly<Record<string, Buffer>>> {
    const fault = this.broker.busFault(this.replica);
    if (fault !== undefined) return Promise.reject(new QuorateError('bus-unavailable', fault));
    return Promise.resolve(Object.fromEntries(this.broker.store.read(key)));
  }
}
