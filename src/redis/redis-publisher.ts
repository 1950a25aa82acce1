import type { Publication } from '../ports/bus.js';
import type { Publisher } from '../ports/publisher.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';

/** Publishes over one connection. */
export class RedisPublisher implements Publisher {
  constructor(
    private readonly connection: Connection,
    private readonly keys: Keys,
  ) {}

  get connected(): boolean {
    return this.connection.connected;
  }

  publish(publications: readonly Publication[]): void {
    for (const { channel, payload } of publications) {
      this.connection.redis.publish(this.keys.channel(channel), payload as Buffer).catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
