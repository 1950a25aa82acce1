import type { Bus, Channel, Subscription, SubscriptionListener } from '../ports/bus.js';
import { DirectConnection, errorIn } from './direct-connection.js';
import type { Keys } from './keys.js';

const deaf = (): void => undefined;

/**
 * Subscribes over the connection that the process speaks on, where one can do both: the answer to what was said then comes in one read
 * with what is heard (docs/performance.md). Further subscriptions, and those where Redis wants one
 * connection for each, have connections of their own.
 */
export class RedisBus implements Bus {
  /**
   * @param url of the Redis that `saying` leads to
   * @param saying open, and closed by whoever opened it, once its subscription is
   */
  constructor(
    private readonly url: string,
    private readonly keys: Keys,
    private saying?: DirectConnection,
  ) {}

  async subscribe(channels: readonly Channel[], listener: SubscriptionListener): Promise<Subscription> {
    const { saying } = this;
    this.saying = undefined;
    const shared = (await saying?.isDuplex().catch(() => false)) === true ? saying : undefined;
    const connection = shared ?? new DirectConnection(this.url);
    const byName = new Map(channels.map((channel) => [this.keys.channel(channel), channel]));
    const { redis } = connection;
    let isSubscribed = false;
    let isClosed = false;

    const subscribe = async (): Promise<void> => {
      const error = errorIn(await connection.request([...byName.keys()].map((name) => ['SUBSCRIBE', name])));
      if (error !== undefined) throw error;
      if (isClosed) return;
      isSubscribed = true;
      listener.onConnected();
    };
    const onReady = (): void => void subscribe().catch(() => connection.renew());
    const onClose = (): void => {
      if (isSubscribed) listener.onDisconnected();
      isSubscribed = false;
    };
    const close = async (): Promise<void> => {
      isClosed = true;
      isSubscribed = false;
      connection.onMessage = deaf;
      redis.off('close', onClose).off('ready', onReady);
      if (shared === undefined) await connection.close();
    };

    connection.onMessage = (name, payload) => {
      const channel = byName.get(name);
      if (channel !== undefined) listener.onPayload(channel, payload);
    };
    redis.on('close', onClose);
    try {
      if (shared === undefined) await connection.open();
      await subscribe();
    } catch (error) {
      await close();
      throw error;
    }
    redis.on('ready', onReady);
    return {
      get connected() {
        return isSubscribed;
      },
      lookIn: () => {
        connection.lookIn();
      },
      close,
    };
  }
}
