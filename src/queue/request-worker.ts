import { Worker, type Job, type Queue } from 'bullmq';
import type { ClusterClient } from '../client/cluster-client.js';
import type { Reply } from '../crypto/receipt.js';
import { QuorateError, type QuorateErrorCode } from '../errors.js';
import type { Logger } from '../ports/logger.js';
import type { workerRedis } from '../redis/connection.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import type { Fates } from './fates.js';
import { outcomeOf, readJob, type RequestJob, type RequestOutcome } from './request-job.js';
import { failureText } from './request-status.js';
import { backoffMs, givenUp, isLastAttempt, stalling } from './retrying.js';
import type { Seal } from './seal.js';
import type { Announcement, Webhooks } from './webhooks.js';

const delayMaxMs = 60_000;

/** What may go well another time. Everything else is an answer. */
const transient = new Set<QuorateErrorCode>(['no-quorum', 'bus-unavailable', 'overloaded', 'shutting-down']);

export interface RequestWorkerOptions {
  readonly queue: Queue;
  readonly redis: ReturnType<typeof workerRedis>;
  readonly prefix: string;
  readonly client: Pick<ClusterClient, 'submit'>;
  readonly stateMachine: Pick<StateMachine<unknown>, 'operation'>;
  readonly fates: Fates;
  readonly webhooks: Webhooks;
  readonly seal: Seal;
  readonly deadlineMs: number;
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly logger: Logger;
}

/**
 * Has the requests of the queue executed. A gateway that is killed in the middle leaves its job to whoever looks next,
 * who submits the same operation under the same idempotency key: the replicas execute it if they have not, and answer
 * from their reply cache if they have.
 */
export class RequestWorker {
  private readonly worker: Worker<unknown, RequestOutcome>;

  constructor(private readonly options: RequestWorkerOptions) {
    const { queue, redis, prefix, concurrency, logger } = options;
    this.worker = new Worker<unknown, RequestOutcome>(queue.name, async (job) => await this.process(job), {
      ...{ connection: redis, prefix, concurrency, ...stalling },
      settings: { backoffStrategy: (attempt) => backoffMs(attempt, delayMaxMs) },
    });
    this.worker.on('error', (error) => {
      logger.warn({ err: error }, 'the worker of asynchronous requests has trouble with Redis');
    });
  }

  /** Takes no more, and waits for what is under way. */
  async close(): Promise<void> {
    await this.worker.close();
  }

  private async process(job: Job): Promise<RequestOutcome> {
    const { fates, seal } = this.options;
    const id = job.id ?? '';
    const data = readJob(id, job.data, seal);
    if (data === undefined) throw givenUp(failureText('invalid-request', 'No gateway has put this request here.'));
    if ((await fates.decide(id, 'proposed')) === 'cancelled') return outcomeOf(id, null, seal);
    const reply = await this.execute(job, id, data);
    await this.announce(data, { id, state: 'completed', reply });
    return outcomeOf(id, reply, seal);
  }

  private async execute(job: Job, id: string, data: RequestJob): Promise<Reply> {
    try {
      this.assertTaken(data);
      const { deadlineMs } = this.options;
      return await this.options.client.submit(data.operation, { idempotencyKey: data.key, deadlineMs });
    } catch (error) {
      const { code, message } = error instanceof QuorateError ? error : internal(error);
      const isFinal = !transient.has(code);
      if (isFinal || isLastAttempt(job)) {
        await this.announce(data, { id, state: 'failed', error: { code, detail: message } });
      }
      if (code === 'internal') this.options.logger.error({ err: error, request: id }, 'an asynchronous request failed');
      throw isFinal ? givenUp(failureText(code, message)) : new Error(failureText(code, message));
    }
  }

  /** The state machine of this gateway may be younger than the one that took the request. */
  private assertTaken({ operation }: RequestJob): void {
    const result = this.options.stateMachine.operation['~standard'].validate(operation);
    if (!(result instanceof Promise) && result.issues === undefined) return;
    throw new QuorateError('invalid-request', 'The state machine does not take this operation.');
  }

  private async announce({ webhook }: RequestJob, announcement: Announcement): Promise<void> {
    if (webhook !== null) await this.options.webhooks.announce(webhook, announcement);
  }
}

function internal(error: unknown): QuorateError {
  return new QuorateError('internal', 'Something went wrong.', {}, { cause: error });
}
