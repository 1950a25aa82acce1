import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { QUORATE_ERROR_CODES, QuorateError, type QuorateErrorCode } from '../errors.js';

/** Bytes of an answer at most: more than the largest batch with its certificate has. */
const answerBytesMax = 32 * 1024 * 1024;
const attemptsMax = 10;
const backoffBaseMs = 100;
const backoffMaxMs = 5_000;

/** What may be better in a moment. Whatever is sent again is idempotent: it reads, or it has its key. */
const PASSING: ReadonlySet<QuorateErrorCode> = new Set([
  'overloaded',
  'bus-unavailable',
  'issuer-unavailable',
  'shutting-down',
  'no-quorum',
]);

const problemSchema = z.looseObject({ code: z.string(), detail: z.string() });

export interface HttpOptions {
  readonly url: string;
  readonly apiKey?: string | undefined;
  readonly fetch: typeof fetch;
}

export interface HttpCall {
  readonly path: string;
  readonly init?: {
    readonly method: string;
    readonly body: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly deadlineMs: number;
  readonly signals: readonly AbortSignal[];
}

/** One gateway, asked again while that can help. */
export class Http {
  constructor(private readonly options: HttpOptions) {}

  /**
   * The text of a successful answer. Passing trouble is met by trying again, up to ten times, ever more rarely and no sooner
   * than the gateway asks for.
   * @throws {QuorateError} the gateway's problem, its members in `details`; `bus-unavailable` when it cannot be reached,
   *   `no-quorum` when nothing came within the deadline; or the reason of an abort
   */
  async ask({ path, init, deadlineMs, signals }: HttpCall): Promise<string> {
    const until = performance.now() + deadlineMs;
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([...signals, deadline]);
    for (let attempt = 1; ; attempt++) {
      const failure = await this.attempt(path, init, signal).catch((error: unknown) => asFailure(error));
      if (typeof failure === 'string') return failure;
      throwIfAborted(signals);
      const { error, retryAfterMs } = failure;
      const backoffMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
      const waitMs = Math.max(retryAfterMs, backoffMs);
      const mayHelp = PASSING.has(error.code) && attempt < attemptsMax && performance.now() + waitMs < until;
      if (!mayHelp)
        throw deadline.aborted && error.details['status'] === undefined ? tooLate(deadlineMs, error) : error;
      await delay(waitMs, undefined, { signal }).catch(() => {
        throwIfAborted(signals);
      });
    }
  }

  /** Opens an answer that goes on. @throws {Failure}, or whatever `fetch` throws */
  async open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    const response = await this.fetch(path, { headers: { ...this.headers, ...headers } }, signal);
    if (response.ok) return response;
    throw await problemOf(response);
  }

  private async attempt(path: string, init: HttpCall['init'], signal: AbortSignal): Promise<string> {
    const response = await this.fetch(path, { ...init, headers: { ...this.headers, ...init?.headers } }, signal);
    if (!response.ok) throw await problemOf(response);
    return await textOf(response);
  }

  private async fetch(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    return await this.options.fetch(this.options.url + path, { ...init, signal, redirect: 'error' });
  }

  private get headers(): Record<string, string> {
    const { apiKey } = this.options;
    return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }
}

/** A call that failed, and how long to wait before the next. */
export class Failure extends Error {
  constructor(
    readonly error: QuorateError,
    readonly retryAfterMs = 0,
  ) {
    super(error.message);
  }

  get isPassing(): boolean {
    return PASSING.has(this.error.code);
  }
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof QuorateError) return new Failure(error);
  const { cause, message } = error as Error;
  const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
  const text = `the gateway cannot be reached: ${reason}`;
  return new Failure(new QuorateError('bus-unavailable', text, {}, { cause: error }));
}

function throwIfAborted(signals: readonly AbortSignal[]): void {
  for (const signal of signals) signal.throwIfAborted();
}

function tooLate(deadlineMs: number, cause: QuorateError): QuorateError {
  const text = `no answer within ${String(deadlineMs)} ms; a request that was sent may still be executed`;
  return new QuorateError('no-quorum', text, {}, { cause });
}

async function problemOf(response: Response): Promise<Failure> {
  const { status } = response;
  const problem = problemSchema.safeParse(parsed(await textOf(response)));
  const code = problem.success ? codeOf(problem.data.code, status) : codeOf('', status);
  const detail = problem.success ? problem.data.detail : `the gateway answered ${String(status)}, without a problem`;
  const details = { ...(problem.success ? problem.data : {}), status };
  const retryAfter = response.headers.get('retry-after') ?? '';
  const retryAfterMs = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : 0;
  return new Failure(new QuorateError(code, detail, details), retryAfterMs);
}

/** The problem's code; that of its status for one that this version does not know, or for a proxy's page. */
function codeOf(code: string, status: number): QuorateErrorCode {
  const known = QUORATE_ERROR_CODES.find((one) => one === code);
  if (known !== undefined) return known;
  if (status === 429) return 'overloaded';
  if (status === 502 || status === 503 || status === 408) return 'bus-unavailable';
  if (status === 504) return 'no-quorum';
  if (status === 404) return 'not-found';
  return status < 500 ? 'invalid-request' : 'internal';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new QuorateError('internal', `the gateway's answer has more than ${String(answerBytesMax)} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
