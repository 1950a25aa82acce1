import type { Publication } from '../ports/bus.js';
import type { Publisher } from '../ports/publisher.js';
import type { DirectConnection } from './direct-connection.js';
import type { Keys } from './keys.js';
import type { Command } from './resp.js';

/** Publishes over one connection. */
export class RedisPublisher implements Publisher {
  constructor(
    private readonly connection: DirectConnection,
    private readonly keys: Keys,
  ) {}

  get connected(): boolean {
    return this.connection.connected;
  }

  publish(publications: readonly Publication[]): void {
    this.connection.announce(publishing(publications, this.keys)).catch(() => undefined);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

export function publishing(publications: readonly Publication[], keys: Keys): Command[] {
  return publications.map(({ channel, payload }) => ['PUBLISH', keys.channel(channel), payload]);
}
