import { Queue, type Job } from 'bullmq';
import { QuorateError } from '../errors.js';
import type { Logger } from '../ports/logger.js';
import type { Connection } from '../redis/connection.js';
import { within } from '../redis/within.js';
import type { AsyncRequest, AsyncRequests, RequestStatus } from './async-requests.js';
import { Fates } from './fates.js';
import { askForTheSame, idOfKey, isRequestId, jobOf, readJob, type RequestJob } from './request-job.js';
import { hasOutcome, statusOf } from './request-status.js';
import type { Seal } from './seal.js';
import type { WebhookPolicy } from './webhook-policy.js';

/** The names of the queues, below `Keys.queue`. */
const QUEUES = { requests: 'requests', webhooks: 'webhooks' } as const;
/** Outcomes that are kept at most, however young they are: the oldest go first. */
const outcomesMax = 100_000;
/** Events of a queue that Redis keeps; only its page reads them. */
const eventsMax = 1_000;
const cleaningMs = 30_000;
const readyTimeoutMs = 20_000;
const cleanedAtOnceMax = 1_000;

export interface QueueLimits {
  /** Requests that may wait, be under way or wait for another attempt. */
  readonly lengthMax: number;
  readonly attempts: number;
  /** How long outcomes are kept, seconds. */
  readonly keepS: number;
}

export interface RequestQueueOptions {
  readonly connection: Connection;
  /** `Keys.queue` */
  readonly prefix: string;
  readonly seal: Seal;
  readonly limits: QueueLimits;
  readonly webhooks: WebhookPolicy;
  readonly logger: Logger;
}

/** The side of the queue that takes requests and tells of them; `RequestWorker` carries them out. */
export class RequestQueue implements AsyncRequests {
  readonly webhookQueue: Queue;
  readonly requestQueue: Queue;
  readonly fates: Fates;
  private readonly cleaning: NodeJS.Timeout;
  /** Requests that are being added: they are not counted by Redis yet. */
  private adding = 0;

  constructor(private readonly options: RequestQueueOptions) {
    this.requestQueue = this.open(QUEUES.requests);
    this.webhookQueue = this.open(QUEUES.webhooks);
    this.fates = new Fates(options.connection, (id) => this.requestQueue.toKey(id));
    this.cleaning = setInterval(() => void this.clean(), cleaningMs).unref();
  }

  /**
   * BullMQ itself waits for as long as Redis is away.
   * @param timeoutMs for the queue's Redis to be there
   * @throws {QuorateError} `bus-unavailable`, saying what was waited for
   */
  async ready(timeoutMs = readyTimeoutMs): Promise<void> {
    const text = `the queue of asynchronous requests: its Redis (QUEUE_REDIS_URL) was not ready within ${String(timeoutMs)} ms`;
    await this.reach(async () => {
      const ready = Promise.all([this.requestQueue.waitUntilReady(), this.webhookQueue.waitUntilReady()]);
      await within(timeoutMs, ready, () => new QuorateError('bus-unavailable', text));
    });
  }

  async submit(request: AsyncRequest): Promise<RequestStatus> {
    this.options.webhooks.assertAllowed(request.webhook);
    const data = jobOf(request, this.options.seal);
    const id = idOfKey(data.key);
    return await this.reach(async () => {
      const known = await this.job(id);
      if (known !== undefined) return await this.submitAgain(id, known, data);
      await this.add(id, data);
      const added = await this.job(id);
      // It may be another's who came first with the same key; or it is over and its time, too.
      if (added === undefined) throw new QuorateError('overloaded', 'The results of requests are kept too shortly.');
      this.assertSame(id, added, data);
      return await this.describe(id, added);
    });
  }

  async find(id: string, owner: string | null | undefined): Promise<RequestStatus | undefined> {
    if (!isRequestId(id)) return undefined;
    return await this.reach(async () => {
      const job = await this.jobOf(id, owner);
      return job === undefined ? undefined : await this.describe(id, job);
    });
  }

  async cancel(id: string, owner: string | null | undefined): Promise<RequestStatus> {
    const status = await this.find(id, owner);
    if (status === undefined) throw unknown();
    return await this.reach(async () => {
      const fate = await this.fates.decide(id, 'cancelled');
      if (fate === undefined) throw unknown();
      if (fate === 'proposed') {
        throw new QuorateError('already-proposed', 'The request was proposed to the replicas already.', {
          state: status.state,
        });
      }
      const job = await this.job(id);
      if (job === undefined) throw unknown();
      return await this.describe(id, job);
    });
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return await this.reach(
      async () => await this.requestQueue.getJobCounts('wait', 'active', 'delayed', 'completed', 'failed'),
    );
  }

  async board(path: string): ReturnType<AsyncRequests['board']> {
    const { queueBoard } = await import('./board.js'); // costs a start a quarter of a second: only who wants it pays
    return queueBoard(path, [this.requestQueue, this.webhookQueue]);
  }

  async close(): Promise<void> {
    clearInterval(this.cleaning);
    await Promise.all([this.requestQueue.close(), this.webhookQueue.close()]);
  }

  private open(name: string): Queue {
    const { connection, prefix, logger } = this.options;
    const queue = new Queue(name, {
      connection: connection.redis,
      prefix,
      streams: { events: { maxLen: eventsMax } },
    });
    queue.on('error', (error) => {
      logger.warn({ err: error, queue: name }, 'the queue has trouble with Redis');
    });
    return queue;
  }

  private async add(id: string, data: RequestJob): Promise<void> {
    const { lengthMax, attempts, keepS } = this.options.limits;
    this.adding += 1;
    try {
      const counts = await this.requestQueue.getJobCounts('wait', 'prioritized', 'active', 'delayed');
      const length = Object.values(counts).reduce((sum, count) => sum + count, this.adding);
      if (length > lengthMax) {
        throw new QuorateError('overloaded', `${lengthMax} asynchronous requests are waiting already.`, { lengthMax });
      }
      const kept = { age: keepS, count: outcomesMax };
      await this.requestQueue.add('request', data, {
        ...{ jobId: id, attempts, backoff: { type: 'custom' }, stackTraceLimit: 0 },
        ...{ removeOnComplete: kept, removeOnFail: kept },
      });
    } finally {
      this.adding -= 1;
    }
  }

  private async submitAgain(id: string, job: Job, data: RequestJob): Promise<RequestStatus> {
    this.assertSame(id, job, data);
    const status = await this.describe(id, job);
    if (status.state !== 'failed') return status;
    // Another gateway may do so, too: the second finds it waiting already.
    await job
      .retry(hasOutcome(job) ? 'completed' : 'failed', { resetAttemptsMade: true, resetAttemptsStarted: true })
      .catch(() => undefined);
    const again = await this.job(id);
    return again === undefined ? status : await this.describe(id, again);
  }

  private assertSame(id: string, job: Job, data: RequestJob): void {
    const stored = readJob(id, job.data, this.options.seal);
    // A request without a key of its own has just been given a key that nobody else has.
    if (stored !== undefined && askForTheSame(stored, data)) return;
    throw new QuorateError('idempotency-conflict', 'This Idempotency-Key is in use for another asynchronous request.');
  }

  private async job(id: string): Promise<Job | undefined> {
    return (await this.requestQueue.getJob(id)) as Job | undefined;
  }

  private async jobOf(id: string, owner: string | null | undefined): Promise<Job | undefined> {
    const job = await this.job(id);
    if (job === undefined) return undefined;
    const data = readJob(id, job.data, this.options.seal);
    if (data === undefined || (owner !== undefined && data.owner !== owner)) return undefined;
    return job;
  }

  private async describe(id: string, job: Job): Promise<RequestStatus> {
    // The state is asked for first: a job that was read later than that is at least as far.
    const [state, fate] = await Promise.all([job.getState(), this.fates.of(id)]);
    const latest = (await this.job(id)) ?? job;
    return statusOf(id, latest, state, fate, this.options.seal);
  }

  /** BullMQ removes what is too old only when another job ends. */
  private async clean(): Promise<void> {
    const ageMs = this.options.limits.keepS * 1000;
    try {
      for (const state of ['completed', 'failed'] as const)
        await this.requestQueue.clean(ageMs, cleanedAtOnceMax, state);
    } catch {
      // Redis is away; the next round does it.
    }
  }

  /** Every error that is not ours is Redis's. */
  private async reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof QuorateError) throw error;
      this.options.logger.warn({ err: error }, 'the queue of asynchronous requests could not be reached');
      throw new QuorateError('bus-unavailable', 'The Redis of the queue does not answer.', {}, { cause: error });
    }
  }
}

function unknown(): QuorateError {
  return new QuorateError('not-found', 'There is no such asynchronous request, or its result was not kept so long.');
}
