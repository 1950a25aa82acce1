import { createHmac } from 'node:crypto';
import { Worker, type Job, type Queue } from 'bullmq';
import { z } from 'zod';
import type { Logger } from '../ports/logger.js';
import type { workerRedis } from '../redis/connection.js';
import type { RequestStatus } from './async-requests.js';
import { backoffMs, givenUp, stalling } from './retrying.js';
import type { Seal } from './seal.js';
import type { WebhookPolicy } from './webhook-policy.js';

/** A receiver that does not answer within this time is tried again, milliseconds. */
const answerTimeoutMs = 10_000;
const attempts = 12;
const delayMaxMs = 600_000;
const concurrency = 8;
/** Deliveries that wait, at most: beyond it they are dropped and logged, for the request itself is done. */
const lengthMax = 10_000;
const deliveredKept = { age: 3_600, count: 10_000 };
const failedKept = { age: 86_400, count: 10_000 };

/** What a webhook says: the request as `GET /v1/requests/{id}` shows it, without its times. */
export type Announcement = Pick<RequestStatus, 'id' | 'state' | 'reply' | 'error'>;

const jobSchema = z.strictObject({
  url: z.string().max(2048),
  /** The very text that is sent. */
  body: z.string(),
  seal: z.string().regex(/^[0-9a-f]{64}$/),
});

export interface WebhooksOptions {
  readonly queue: Queue;
  readonly redis: ReturnType<typeof workerRedis>;
  readonly prefix: string;
  readonly policy: WebhookPolicy;
  readonly seal: Seal;
  readonly logger: Logger;
}

/**
 * Delivers webhooks by a queue of their own: at least once each, signed as the Standard Webhooks specification says.
 * A receiver tells a repeated one by its `webhook-id`.
 */
export class Webhooks {
  private worker: Worker | undefined;

  constructor(private readonly options: WebhooksOptions) {}

  /** Begins to deliver. */
  start(): void {
    const { queue, redis, prefix, policy, logger } = this.options;
    if (policy.secret === undefined) return;
    this.worker = new Worker(queue.name, async (job) => await this.deliver(job), {
      ...{ connection: redis, prefix, concurrency, ...stalling },
      settings: { backoffStrategy: (attempt) => backoffMs(attempt, delayMaxMs) },
    });
    this.worker.on('error', (error) => {
      logger.warn({ err: error }, 'the delivery of webhooks has trouble with Redis');
    });
    this.worker.on('failed', (job, error) => {
      logger.warn({ request: job?.id, reason: error.message }, 'a webhook was not taken');
    });
  }

  /** Has it delivered; the same request's announcement of the same state is queued once. */
  async announce(url: string, announcement: Announcement): Promise<void> {
    const { queue, seal, logger } = this.options;
    const { id, state } = announcement;
    // A request that failed may be submitted again, and then succeed: that is another message, not a repeated one.
    const message = state === 'failed' ? `${id}-failed` : id;
    if ((await queue.getJobCountByTypes('wait', 'active', 'delayed')) >= lengthMax) {
      logger.warn({ request: id, lengthMax }, 'too many webhooks wait: this one is not delivered');
      return;
    }
    const content = { url, body: JSON.stringify(announcement) };
    const data = { ...content, seal: seal.of(`webhook ${message}`, content) };
    await queue.add('webhook', data, {
      ...{ jobId: message, attempts, backoff: { type: 'custom' }, stackTraceLimit: 0 },
      ...{ removeOnComplete: deliveredKept, removeOnFail: failedKept },
    });
  }

  /** Takes no more, and waits for what is under way. */
  async close(): Promise<void> {
    await this.worker?.close();
  }

  private async deliver(job: Job): Promise<number> {
    const { policy, seal } = this.options;
    const id = job.id ?? '';
    const parsed = jobSchema.safeParse(job.data);
    if (!parsed.success) throw givenUp('the job is not one of ours');
    const { seal: mark, ...content } = parsed.data;
    if (!seal.isGenuine(`webhook ${id}`, content, mark)) throw givenUp('the job is not one of ours');
    // The operator may allow fewer hosts by now than when it was taken.
    try {
      policy.assertAllowed(content.url);
    } catch (error) {
      throw givenUp((error as Error).message);
    }
    const response = await fetch(content.url, {
      method: 'POST',
      body: content.body,
      headers: { 'content-type': 'application/json', ...signatureHeaders(policy.secret ?? '', id, content.body) },
      redirect: 'manual', // another host would not be among those that are allowed
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    await response.body?.cancel();
    if (response.ok) return response.status;
    if (response.status === 410) throw givenUp('410: the receiver wants no more of them');
    throw new Error(`the receiver answered ${response.status}`);
  }
}

/** The headers of https://www.standardwebhooks.com: HMAC-SHA256 over id, time and body. */
function signatureHeaders(secret: string, id: string, body: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const encoded = /^whsec_(.+)$/.exec(secret)?.[1];
  const key = encoded === undefined ? Buffer.from(secret, 'utf8') : Buffer.from(encoded, 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
