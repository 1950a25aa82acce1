import type { Bus, Channel, Subscription, SubscriptionListener } from '../ports/bus.js';
import { Connection } from './connection.js';
import type { Keys } from './keys.js';

/** Subscribes over a connection of its own for each subscription. */
export class RedisBus implements Bus {
  constructor(
    private readonly url: string,
    private readonly keys: Keys,
  ) {}

  async subscribe(channels: readonly Channel[], listener: SubscriptionListener): Promise<Subscription> {
    const byName = new Map(channels.map((channel) => [this.keys.channel(channel), channel]));
    const connection = new Connection(this.url);
    const { redis } = connection;
    let isSubscribed = false;

    redis.on('messageBuffer', (name: Buffer, payload: Buffer) => {
      const channel = byName.get(name.toString());
      if (channel !== undefined) listener.onPayload(channel, payload);
    });
    redis.on('close', () => {
      if (isSubscribed) listener.onDisconnected();
      isSubscribed = false;
    });
    const resubscribe = async (): Promise<void> => {
      await redis.subscribe(...byName.keys());
      isSubscribed = true;
      listener.onConnected();
    };

    try {
      await connection.open();
      await resubscribe();
    } catch (error) {
      await connection.close();
      throw error;
    }
    redis.on('ready', () => void resubscribe().catch(() => connection.renew()));
    return {
      get connected() {
        return isSubscribed;
      },
      close: async () => {
        isSubscribed = false;
        await connection.close();
      },
    };
  }
}
