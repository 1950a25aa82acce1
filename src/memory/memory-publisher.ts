import type { Publication } from '../ports/bus.js';
import type { Publisher } from '../ports/publisher.js';
import type { MemoryBroker } from './memory-broker.js';

/** One process's voice on a memory broker. */
export class MemoryPublisher implements Publisher {
  private isClosed = false;

  constructor(
    private readonly broker: MemoryBroker,
    private readonly name: string,
  ) {}

  get connected(): boolean {
    return !this.isClosed && this.broker.isReachable(this.name);
  }

  publish(publications: readonly Publication[]): void {
    if (this.connected) this.broker.publish(this.name, publications);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
