import type { ClusterClient } from '../client/cluster-client.js';
import type { Logger } from '../ports/logger.js';
import { assertNoEviction, workerRedis, type Connection } from '../redis/connection.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import type { AsyncRequests } from './async-requests.js';
import { RequestQueue, type QueueLimits } from './request-queue.js';
import { RequestWorker } from './request-worker.js';
import type { Seal } from './seal.js';
import { type WebhookPolicy } from './webhook-policy.js';
import { Webhooks } from './webhooks.js';

export interface OpenQueueOptions {
  /** Open, and the caller's to close after the queue. */
  readonly connection: Connection;
  /** Where `connection` goes: the workers have connections of their own. */
  readonly redisUrl: string;
  /** `Keys.queue` */
  readonly prefix: string;
  readonly seal: Seal;
  readonly limits: QueueLimits;
  /** Requests that this process has under way at once. */
  readonly concurrency: number;
  /** For one attempt. */
  readonly deadlineMs: number;
  readonly webhooks: WebhookPolicy;
  readonly client: Pick<ClusterClient, 'submit'>;
  readonly stateMachine: Pick<StateMachine<unknown>, 'operation'>;
  readonly logger: Logger;
}

export interface OpenQueue {
  readonly requests: AsyncRequests;
  /** Takes no more jobs, waits at most `graceMs` for those under way, and lets go. The client must stay open until then. */
  close(graceMs: number): Promise<void>;
}

/**
 * Opens the queue of asynchronous requests and begins to work on it.
 * @throws {QuorateError} `bus-unavailable`, `unsafe-redis`
 */
export async function openQueue(options: OpenQueueOptions): Promise<OpenQueue> {
  const { connection, redisUrl, prefix, seal, limits, logger, client, stateMachine, deadlineMs, concurrency } = options;
  await assertNoEviction(connection);
  const queue = new RequestQueue({ connection, prefix, seal, limits, webhooks: options.webhooks, logger });
  await queue.ready();
  const redis = workerRedis(redisUrl);
  const shared = { redis, prefix, seal, logger };
  const webhooks = new Webhooks({ ...shared, queue: queue.webhookQueue, policy: options.webhooks });
  webhooks.start();
  const worker = new RequestWorker({
    ...{ ...shared, queue: queue.requestQueue, fates: queue.fates, webhooks },
    ...{ client, stateMachine, deadlineMs, concurrency },
  });
  return {
    requests: queue,
    async close(graceMs) {
      await closeWithin(graceMs, async () => {
        await Promise.all([worker.close(), webhooks.close()]);
      });
      await queue.close();
      redis.disconnect();
    },
  };
}

/** BullMQ waits for jobs under way, and for a Redis that is away, without an end. */
async function closeWithin(graceMs: number, close: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((settle) => {
    timer = setTimeout(settle, graceMs);
  });
  await Promise.race([close().catch(() => undefined), patience]);
  clearTimeout(timer);
}
