/**
 * A place to publish to: one channel for each phase and service, one for each gateway's replies, and one for what each
 * replica alone has asked for, so that a state in transfer does not go to everybody.
 */
export type Channel =
  | 'request'
  | 'pre-prepare'
  | 'prepare'
  | 'commit'
  | 'checkpoint'
  | 'view-change'
  | 'new-view'
  | 'status'
  | 'state'
  | `state:${string}`
  | `reply:${string}`;

export interface Publication {
  readonly channel: Channel;
  readonly payload: Uint8Array;
}

/**
 * Delivers what others publish: at most once, in any order, perhaps never, perhaps forged. Nothing rests on it but
 * liveness.
 */
export interface Subscription {
  /** Whether messages can arrive just now. */
  readonly connected: boolean;
  /** Takes what has arrived by now, instead of when the event loop comes round to it, where that is possible. */
  lookIn?(): void;
  close(): Promise<void>;
}

export interface SubscriptionListener {
  /** Called synchronously for each payload, in the order of arrival. Must not throw, must not block. */
  onPayload(channel: Channel, payload: Buffer): void;
  /** Called whenever the subscription (again) stands: what was published before may have been missed. */
  onConnected(): void;
  onDisconnected(): void;
}

export interface Bus {
  /** Resolves once all channels are subscribed to. Resubscribes by itself after a lost connection. */
  subscribe(channels: readonly Channel[], listener: SubscriptionListener): Promise<Subscription>;
}
