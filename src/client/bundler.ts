import { limits } from '../pbft/configuration.js';
import type { Publication } from '../ports/bus.js';
import { encodeBundleBody } from '../wire/bundle.js';
import type { Credential } from '../wire/credential.js';
import type { Sealer } from '../wire/envelope.js';
import { packets } from '../wire/packets.js';
import { Patience } from './patience.js';
import type { Submission } from './submission.js';

/** An unanswered bundle is not sent again before this time, milliseconds; the wait doubles each time, up to the longest. */
const resendMsMin = 400;
const resendMsMax = 3_200;
/** While a bundle is unanswered, one that is not full waits for it, or for as long as answers take now, but at least so long, milliseconds. */
const holdMsMin = 25;
/** Bytes of a bundle besides its operations: frame, credential, and each request's client and lengths. */
const bundleOverheadBytes = 512;
const requestOverheadBytes = 128;

interface SentBundle {
  readonly frame: Buffer;
  readonly lastSequence: number;
  readonly submissions: readonly Submission[];
  /** When it was sent first, milliseconds. */
  readonly sentAt: number;
  resendAt: number;
  resends: number;
}

export interface BundlerOptions {
  readonly credential: Credential;
  readonly sealer: Sealer;
  publish(publications: readonly Publication[]): void;
  /** A sequence number that the cluster has reached. */
  reached(): number;
}

/**
 * Signs what one turn of the event loop submits, or a part of a long one, as one bundle, and sends it to all replicas again until every request
 * in it has its answer (rule 14). Each bundle costs every replica a signature, and each batch far more: while an answer is near,
 * further requests gather. A request with an idempotency key goes alone: a bundle is ordered whole, and such a
 * request may have been executed long ago.
 */
export class Bundler {
  private queued: Submission[] = [];
  private sent: SentBundle[] = [];
  private readonly patience = new Patience(resendMsMin, resendMsMax);

  constructor(private readonly options: BundlerOptions) {}

  add(submission: Submission): void {
    this.queued.push(submission);
  }

  /** A request was answered after so many milliseconds. */
  onAnswered(afterMs: number): void {
    this.patience.observe(afterMs);
  }

  /** Whether requests gather until an earlier bundle is answered, or they have waited long enough. */
  get isHolding(): boolean {
    return this.queued.length > 0;
  }

  /** Sends what was queued; what is left waits for a later call. */
  flush(now: number): void {
    const { alone, full, rest } = grouped(this.queued, this.options.credential.name);
    this.queued = [];
    this.sent = this.sent.filter(isOpen); // and with an answered one the replies to its requests are let go
    for (const group of [...alone, ...full]) this.send(group, now);
    if (rest.length === 0) return;
    if (now < (rest[0]?.startedAt ?? 0) + this.holdMs && this.isAnswerNear(now)) this.queued = rest;
    else this.send(rest, now);
  }

  /**
   * Whether a bundle of the gateway's own requests is unanswered for no longer than answers take. One that is overdue, lost or left out
   * by a faulty primary, holds nobody up, nor does a request with an idempotency key, which may be one of many.
   */
  private isAnswerNear(now: number): boolean {
    const { name } = this.options.credential;
    return this.sent.some(({ submissions, sentAt }) => submissions[0]?.client === name && now < sentAt + this.holdMs);
  }

  /** Sends again what is due, and forgets what is answered or given up. */
  resend(now: number): void {
    const due = this.sent.filter((bundle) => isOpen(bundle) && bundle.resendAt <= now);
    this.sent = this.sent.filter(isOpen);
    for (const bundle of due) {
      if (bundle.lastSequence < this.options.reached() + limits.bundleLifetime / 2) this.renew(bundle, now);
      else this.repeat(bundle, now);
    }
  }

  private get holdMs(): number {
    return Math.min(resendMsMin, Math.max(holdMsMin, this.patience.mean));
  }

  private repeat(bundle: SentBundle, now: number): void {
    bundle.resends++;
    bundle.resendAt = now + Math.min(resendMsMax, this.patience.ms * 2 ** bundle.resends);
    this.options.publish(packets('request', [bundle.frame]));
  }

  /** Near its expiry a bundle is signed anew, with a later one; the requests in it stay the same. */
  private renew(bundle: SentBundle, now: number): void {
    this.sent = this.sent.filter((other) => other !== bundle);
    this.send(
      bundle.submissions.filter(({ isSettled }) => !isSettled),
      now,
    );
  }

  private send(submissions: readonly Submission[], now: number): void {
    const { credential, sealer } = this.options;
    const lastSequence = this.options.reached() + limits.bundleLifetime - limits.bundleLifetimeMargin;
    const frame = sealer.seal('request', encodeBundleBody(credential, lastSequence, submissions));
    this.sent.push({ frame, lastSequence, submissions, sentAt: now, resendAt: now + this.patience.ms, resends: 0 });
    this.options.publish(packets('request', [frame]));
  }
}

function isOpen({ submissions }: SentBundle): boolean {
  return submissions.some(({ isSettled }) => !isSettled);
}

interface Groups {
  readonly alone: readonly (readonly Submission[])[];
  readonly full: readonly (readonly Submission[])[];
  readonly rest: Submission[];
}

/** The gateway's own requests in as few bundles as the limits allow; each of the others alone. */
function grouped(submissions: readonly Submission[], gateway: string): Groups {
  const alone: Submission[][] = [];
  const full: Submission[][] = [];
  let rest: Submission[] = [];
  let bytes = bundleOverheadBytes;
  for (const submission of submissions) {
    if (submission.client !== gateway) {
      alone.push([submission]);
      continue;
    }
    const size = submission.operation.length + requestOverheadBytes;
    if (rest.length >= limits.bundleOperationsMax || bytes + size > limits.bundleBytesMax) {
      full.push(rest);
      rest = [];
      bytes = bundleOverheadBytes;
    }
    rest.push(submission);
    bytes += size;
  }
  const isFull = rest.length >= limits.bundleOperationsMax;
  return isFull ? { alone, full: [...full, rest], rest: [] } : { alone, full, rest };
}
