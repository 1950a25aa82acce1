import type { Bus, Channel, Subscription, SubscriptionListener } from '../../src/ports/bus.js';
import type { EnrolmentBoard } from '../../src/ports/enrolment-board.js';
import type { MessageLog } from '../../src/ports/message-log.js';
import type { Outbox } from '../../src/ports/outbox.js';
import type { Publisher } from '../../src/ports/publisher.js';

/** The ports of one cluster that nothing was done to yet. Processes go by names; each has its own way to the bus. */
export interface Ports {
  bus(name: string): Bus;
  publisher(name: string): Promise<Publisher>;
  outbox(replica: string): Promise<Outbox>;
  /** As `outbox`, with a log that is kept apart from the bus. */
  outboxOfTwo(replica: string): Promise<Outbox>;
  messageLog(replica: string): Promise<MessageLog>;
  /** The log of `outboxOfTwo`. */
  messageLogOfTwo(replica: string): Promise<MessageLog>;
  board(): Promise<EnrolmentBoard>;
  /** Cuts the process's connections and lets it make no new ones. */
  cut(name: string): void;
  heal(name: string): void;
  /** Ends all connections that subscribe, once. */
  dropSubscribers(): Promise<void>;
  /** Refuses all writes with OOM, everywhere, or takes them again. */
  refuseWrites(isRefused: boolean): Promise<void>;
  close(): Promise<void>;
}

export type MakePorts = () => Promise<Ports>;

/** Writes down what a subscription brings. */
export class Ear implements SubscriptionListener {
  readonly heard: { readonly channel: Channel; readonly payload: Buffer }[] = [];
  connections = 0;
  disconnections = 0;
  onHeard: (payload: Buffer) => void = () => undefined;

  onPayload(channel: Channel, payload: Buffer): void {
    this.heard.push({ channel, payload });
    this.onHeard(payload);
  }

  onConnected(): void {
    this.connections++;
  }

  onDisconnected(): void {
    this.disconnections++;
  }

  /** The payloads as text, in the order of their arrival. */
  get texts(): readonly string[] {
    return this.heard.map(({ payload }) => payload.toString());
  }

  has(text: string): boolean {
    return this.texts.includes(text);
  }
}

/** An ear that listens, and what it listens by. */
export async function listen(
  ports: Ports,
  name: string,
  channels: readonly Channel[],
): Promise<{ readonly ear: Ear; readonly subscription: Subscription }> {
  const ear = new Ear();
  const subscription = await ports.bus(name).subscribe(channels, ear);
  return { ear, subscription };
}

/** The whole checkpointed state. */
export async function fieldsOf(log: MessageLog): Promise<Record<string, Buffer>> {
  const fields: Record<string, Buffer> = {};
  for await (const [field, value] of log.scanState()) fields[field] = value;
  return fields;
}

export function text(value: string): Buffer {
  return Buffer.from(value);
}
