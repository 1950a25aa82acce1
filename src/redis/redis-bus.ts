import type { Bus, Channel, Subscription, SubscriptionListener } from '../ports/bus.js';
import { DirectConnection, errorIn } from './direct-connection.js';
import type { Keys } from './keys.js';

/** Subscribes over a connection of its own for each subscription. */
export class RedisBus implements Bus {
  constructor(
    private readonly url: string,
    private readonly keys: Keys,
  ) {}

  async subscribe(channels: readonly Channel[], listener: SubscriptionListener): Promise<Subscription> {
    const byName = new Map(channels.map((channel) => [this.keys.channel(channel), channel]));
    const connection = new DirectConnection(this.url);
    const { redis } = connection;
    let isSubscribed = false;

    connection.onMessage = (name, payload) => {
      const channel = byName.get(name);
      if (channel !== undefined) listener.onPayload(channel, payload);
    };
    redis.on('close', () => {
      if (isSubscribed) listener.onDisconnected();
      isSubscribed = false;
    });
    const resubscribe = async (): Promise<void> => {
      const error = errorIn(await connection.request([...byName.keys()].map((name) => ['SUBSCRIBE', name])));
      if (error !== undefined) throw error;
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
      lookIn: () => {
        connection.lookIn();
      },
      close: async () => {
        isSubscribed = false;
        await connection.close();
      },
    };
  }
}
