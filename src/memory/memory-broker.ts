import type { Channel, Publication, SubscriptionListener } from '../ports/bus.js';
import { EventQueue } from './event-queue.js';
import { MemoryStore } from './memory-store.js';

/** A payload on its way from one process to one subscriber. */
export interface Message {
  /** The process that publishes; '' for a stranger. */
  readonly from: string;
  readonly to: string;
  readonly channel: Channel;
  readonly payload: Buffer;
}

/** What a process that is cut off gets to hear. */
export const unreachable = 'Redis cannot be reached';

interface Subscriber {
  readonly name: string;
  readonly channels: ReadonlySet<Channel>;
  readonly listener: SubscriptionListener;
}

/**
 * What Redis is to a cluster, in memory: channels and hashes that several processes reach, and that whoever runs it can
 * lose, repeat, alter and forge. Processes go by names, so that one of them can be cut off.
 */
export class MemoryBroker {
  readonly store = new MemoryStore();
  /** Whoever runs the bus: what becomes of a message. Nothing loses it, several repeat it. */
  tamper: (message: Message) => readonly Message[] = (message) => [message];
  private readonly subscribers = new Set<Subscriber>();
  private readonly cuts = new Map<string, number>();
  private readonly cutOff = new Set<string>();
  private refusal: string | undefined;
  private waiters: (() => void)[] = [];

  constructor(readonly queue: EventQueue = new EventQueue()) {}

  /** Why nothing of this process gets through just now, `undefined` when it does. */
  busFault(name: string): string | undefined {
    return this.isReachable(name) ? undefined : unreachable;
  }

  /** Why a write of this process fails just now, `undefined` when it does not. */
  writeFault(name: string): string | undefined {
    const refusal = this.refusal === undefined ? undefined : `Redis refuses writes: ${this.refusal}`;
    return this.busFault(name) ?? refusal;
  }

  isReachable(name: string): boolean {
    return !this.cutOff.has(name);
  }

  /** Cuts a process off: it hears nothing and is not heard. */
  cut(name: string): void {
    if (this.cutOff.has(name)) return;
    this.cutOff.add(name);
    this.cuts.set(name, this.cutsOf(name) + 1);
    for (const { listener } of this.subscribersNamed(name)) listener.onDisconnected();
  }

  /** How often a process was cut off. */
  cutsOf(name: string): number {
    return this.cuts.get(name) ?? 0;
  }

  heal(name: string): void {
    if (!this.cutOff.delete(name)) return;
    for (const { listener } of this.subscribersNamed(name)) listener.onConnected();
    this.wake();
  }

  /** Refuses all writes with this error, as Redis does when it is out of memory; `undefined`: takes them again. */
  refuseWrites(error: string | undefined): void {
    this.refusal = error;
    this.wake();
  }

  /** Calls `retry` once when something has changed for the better, or may have. */
  onChange(retry: () => void): void {
    this.waiters.push(retry);
  }

  subscribe(name: string, channels: readonly Channel[], listener: SubscriptionListener): () => void {
    const subscriber = { name, channels: new Set(channels), listener };
    this.subscribers.add(subscriber);
    return () => {
      this.subscribers.delete(subscriber);
    };
  }

  /** Hands each payload to everybody who is subscribed now, later. A process that is cut off is not heard. */
  publish(from: string, publications: readonly Publication[]): void {
    if (!this.isReachable(from)) return;
    for (const { channel, payload } of publications) {
      for (const subscriber of this.subscribers) {
        if (!subscriber.channels.has(channel)) continue;
        const message = { from, to: subscriber.name, channel, payload: Buffer.from(payload) };
        for (const actual of this.tamper(message)) this.deliverLater(subscriber, actual);
      }
    }
  }

  private deliverLater(subscriber: Subscriber, { from, to, channel, payload }: Message): void {
    this.queue.push({ kind: 'delivery', from, to, channel, payload }, () => {
      const isHeard = this.subscribers.has(subscriber) && this.isReachable(subscriber.name);
      if (isHeard) subscriber.listener.onPayload(channel, payload);
    });
  }

  private subscribersNamed(name: string): Subscriber[] {
    return [...this.subscribers].filter((subscriber) => subscriber.name === name);
  }

  private wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const retry of waiters) retry();
  }
}
