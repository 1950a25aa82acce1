import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../src/wire/json.js';
import { eventually } from './cluster-waiting.js';

/** What becomes of a request: the counter after it, or `undefined` when nobody can say whether it was executed. */
export type Increment = (operation: Json) => Promise<number | undefined>;

/** After a request that was not answered; a cluster that refuses at once is not asked without a pause. */
const pauseMs = 50;

interface Client {
  readonly key: string;
  /** The counter after the last increment that was acknowledged. */
  value: number;
  /** Increments since then whose fate is unknown. */
  unknown: number;
}

/**
 * Clients that go on incrementing a counter each of their own, one after the other's answer, until they are stopped. An
 * answer tells how often all before it were executed: what was acknowledged once, what was given up at most once.
 */
export class Load {
  /** Increments that were acknowledged. */
  acknowledged = 0;
  /** Increments that were given up. */
  unanswered = 0;
  /** Answers that cannot be when everything is executed exactly once. */
  readonly violations: string[] = [];
  private isStopped = false;
  private failure: Error | undefined;
  private readonly clients: readonly Client[];
  private readonly workers: readonly Promise<void>[];

  constructor(
    private readonly increment: Increment,
    name: string,
    count: number,
  ) {
    this.clients = Array.from({ length: count }, (_, index) => ({ key: `${name}-${index}`, value: 0, unknown: 0 }));
    this.workers = this.clients.map(async (client) => {
      try {
        while (!this.isStopped) await this.step(client);
      } catch (error) {
        this.failure ??= error as Error;
      }
    });
  }

  /** Waits until so many more increments were acknowledged than up to now. */
  async acknowledges(more: number, deadlineMs?: number): Promise<void> {
    const wanted = this.acknowledged + more;
    await eventually(
      `${more} more requests are acknowledged`,
      () => this.acknowledged >= wanted || this.failure !== undefined,
      deadlineMs,
    );
    if (this.failure !== undefined) throw this.failure;
  }

  /** Stops, reads every counter and hands out everything that contradicts exactly-once. */
  async finish(read: (key: string) => Promise<unknown>): Promise<readonly string[]> {
    this.isStopped = true;
    await Promise.all(this.workers);
    if (this.failure !== undefined) throw this.failure;
    for (const client of this.clients) {
      const value = (await read(client.key)) ?? 0;
      if (typeof value !== 'number' || value < client.value || value > client.value + client.unknown) {
        this.violations.push(`${told(client)}, and in the end ${JSON.stringify(value)}`);
      }
    }
    return this.violations;
  }

  private async step(client: Client): Promise<void> {
    const value = await this.increment({ op: 'increment', key: client.key });
    if (value === undefined) {
      client.unknown++;
      this.unanswered++;
      await sleep(pauseMs);
      return;
    }
    if (value <= client.value || value > client.value + client.unknown + 1) {
      this.violations.push(`${told(client)}, then ${value}`);
    }
    client.value = value;
    client.unknown = 0;
    this.acknowledged++;
  }
}

function told({ key, value, unknown }: Client): string {
  return `${key}: ${value} acknowledged, ${unknown} of unknown fate`;
}
