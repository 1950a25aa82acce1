import { randomInt } from 'node:crypto';
import { UnrecoverableError, type Job } from 'bullmq';

/**
 * How long BullMQ's workers keep a job to themselves without saying that they live, and how often it is looked for such
 * whose worker has died. A job that is so taken from a worker which was only slow is executed twice, to the same effect.
 */
export const stalling = {
  lockDuration: 6_000,
  stalledInterval: 3_000,
  /** A job may outlive so many gateways: one that ends them all by itself must not do so for ever. */
  maxStalledCount: 100,
} as const;

const firstDelayMs = 250;

/** Exponential, with a random part so that what failed together does not come again together. */
export function backoffMs(attempt: number, delayMaxMs: number): number {
  const delay = Math.min(firstDelayMs * 2 ** Math.min(attempt - 1, 30), delayMaxMs);
  return Math.ceil(delay / 2) + randomInt(Math.ceil(delay / 2) + 1);
}

/** Whether this attempt of a job was the last, should it fail. */
export function isLastAttempt(job: Job): boolean {
  return job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
}

/** Ends a job for good. */
export function givenUp(text: string): Error {
  return new UnrecoverableError(text);
}
