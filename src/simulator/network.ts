import type { Channel, Publication, Subscription, SubscriptionListener } from '../ports/bus.js';
import { asBuffer } from './simulated-redis.js';
import type { VirtualTime } from './virtual-time.js';

/** A payload on its way from one process to one subscriber. */
export interface Delivery {
  /** The process that publishes; '' for a stranger. */
  readonly from: string;
  readonly to: string;
  readonly channel: Channel;
  readonly payload: Buffer;
}

/** One process's ear. */
export interface Subscriber {
  readonly name: string;
  readonly channels: ReadonlySet<Channel>;
  readonly listener: SubscriptionListener;
  /** What the process believes: while it is not, it suspects nobody. */
  isConnected: boolean;
  /** Redis has forgotten it: it hears nothing, whatever it believes. */
  isForgotten: boolean;
  /** What waits in its socket while its process stands still; `undefined` while it runs. */
  held: Delivery[] | undefined;
}

/** Channels over which processes hear each other, through whatever becomes of messages on the way. */
export class Network {
  readonly subscribers = new Set<Subscriber>();
  /** After how many milliseconds a message arrives: nothing, when it is lost; several, when it is repeated. */
  fate: (delivery: Delivery) => readonly number[] = () => [1];
  /** Told what arrives, just before it does. */
  onDelivery: (delivery: Delivery) => void = () => undefined;
  /** Told who has just heard something. */
  afterDelivery: (subscriber: Subscriber) => void = () => undefined;
  /** Told what is published, before its fate is decided. */
  onPublished: (from: string, channel: Channel, payload: Buffer) => void = () => undefined;
  /** Whether processes get to hear what they have said themselves. */
  hasEcho = true;
  /** Whether Redis loses what was just published. */
  isDropped: () => boolean = () => false;
  /** Payloads that have arrived. */
  delivered = 0;

  constructor(private readonly time: VirtualTime) {}

  subscribe(
    name: string,
    channels: readonly Channel[],
    listener: SubscriptionListener,
  ): Subscription & { readonly subscriber: Subscriber } {
    const subscriber: Subscriber = {
      name,
      channels: new Set(channels),
      listener,
      isConnected: true,
      isForgotten: false,
      held: undefined,
    };
    this.subscribers.add(subscriber);
    listener.onConnected();
    const { subscribers } = this;
    return {
      subscriber,
      get connected() {
        return subscriber.isConnected && subscribers.has(subscriber);
      },
      close() {
        subscribers.delete(subscriber);
        return Promise.resolve();
      },
    };
  }

  /** To everybody who is subscribed. */
  publish(from: string, publications: readonly Publication[]): void {
    for (const { channel, payload } of publications) {
      const bytes = asBuffer(payload);
      this.onPublished(from, channel, bytes);
      if (this.isDropped()) continue;
      for (const subscriber of this.subscribers) {
        const isHeard = subscriber.channels.has(channel) && (this.hasEcho || subscriber.name !== from);
        if (isHeard) this.send(from, subscriber, channel, bytes);
      }
    }
  }

  /** To the processes of one name alone, as whoever colludes with Redis can. */
  tell(from: string, to: string, channel: Channel, payload: Buffer): void {
    for (const subscriber of this.subscribers) {
      if (subscriber.name === to && subscriber.channels.has(channel)) this.send(from, subscriber, channel, payload);
    }
  }

  private send(from: string, subscriber: Subscriber, channel: Channel, payload: Buffer): void {
    const delivery = { from, to: subscriber.name, channel, payload };
    for (const delayMs of this.fate(delivery)) {
      this.time.after(delayMs, () => {
        this.arrive(delivery, subscriber);
      });
    }
  }

  private arrive(delivery: Delivery, subscriber: Subscriber): void {
    if (!this.subscribers.has(subscriber) || subscriber.isForgotten || !subscriber.isConnected) return;
    if (subscriber.held !== undefined) {
      subscriber.held.push(delivery);
      return;
    }
    this.delivered++;
    this.onDelivery(delivery);
    subscriber.listener.onPayload(delivery.channel, delivery.payload);
    this.afterDelivery(subscriber);
  }

  pause(subscriber: Subscriber): void {
    subscriber.held ??= [];
  }

  /** Everything that has waited arrives at once. */
  resume(subscriber: Subscriber): void {
    const held = subscriber.held ?? [];
    subscriber.held = undefined;
    for (const delivery of held) this.arrive(delivery, subscriber);
  }

  cut(subscriber: Subscriber): void {
    if (!subscriber.isConnected) return;
    subscriber.isConnected = false;
    subscriber.listener.onDisconnected();
  }

  reconnect(subscriber: Subscriber): void {
    const isDeaf = subscriber.isForgotten || !subscriber.isConnected;
    subscriber.isForgotten = false;
    subscriber.isConnected = true;
    if (isDeaf && this.subscribers.has(subscriber)) subscriber.listener.onConnected();
  }
}
