import type { Request } from '../pbft/messages.js';
import { keyedTimestamp } from '../wire/bundle.js';
import type { Submission } from './submission.js';

type RequestName = Pick<Request, 'client' | 'timestamp'>;

/**
 * The requests that wait for their replies. Each replica's reply to each request is looked up here, so that the gateway's own
 * are found by their timestamps alone, and no name is put together.
 */
export class Submissions {
  private readonly own = new Map<number, Submission>();
  /** Those with an idempotency key, by client: each has but one timestamp. */
  private readonly keyed = new Map<string, Submission>();

  constructor(private readonly gateway: string) {}

  get size(): number {
    return this.own.size + this.keyed.size;
  }

  find({ client, timestamp }: RequestName): Submission | undefined {
    if (client === this.gateway) return this.own.get(timestamp);
    return timestamp === keyedTimestamp ? this.keyed.get(client) : undefined;
  }

  add(submission: Submission): void {
    if (this.isOwn(submission)) this.own.set(submission.timestamp, submission);
    else this.keyed.set(submission.client, submission);
  }

  delete(submission: Submission): void {
    if (this.isOwn(submission)) this.own.delete(submission.timestamp);
    else this.keyed.delete(submission.client);
  }

  /** Whether a request is the gateway's own, whose timestamps never come again; one with an idempotency key may. */
  isOwn({ client }: RequestName): boolean {
    return client === this.gateway;
  }

  /** Those whose deadline has come. */
  overdue(now: number): Submission[] {
    const overdue: Submission[] = [];
    for (const submission of this.own.values()) if (submission.deadline <= now) overdue.push(submission);
    for (const submission of this.keyed.values()) if (submission.deadline <= now) overdue.push(submission);
    return overdue;
  }
}
