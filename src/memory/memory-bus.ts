import type { Bus, Channel, Subscription, SubscriptionListener } from '../ports/bus.js';
import { QuorateError } from '../errors.js';
import { unreachable, type MemoryBroker } from './memory-broker.js';

/** One process's ear on a memory broker. */
export class MemoryBus implements Bus {
  constructor(
    private readonly broker: MemoryBroker,
    private readonly name: string,
  ) {}

  subscribe(channels: readonly Channel[], listener: SubscriptionListener): Promise<Subscription> {
    const { broker, name } = this;
    if (!broker.isReachable(name)) return Promise.reject(new QuorateError('bus-unavailable', unreachable));
    const unsubscribe = broker.subscribe(name, channels, listener);
    let isOpen = true;
    listener.onConnected();
    return Promise.resolve({
      get connected() {
        return isOpen && broker.isReachable(name);
      },
      close: () => {
        isOpen = false;
        unsubscribe();
        return Promise.resolve();
      },
    });
  }
}
