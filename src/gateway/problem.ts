import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { HttpException } from '@nestjs/common';
import { QuorateError, type QuorateErrorCode } from '../errors.js';

/** The codes that an answer may carry: `QuorateErrorCode` where it is about Quorate, the rest is HTTP alone. */
export type ProblemCode =
  | Extract<
      QuorateErrorCode,
      | 'invalid-request'
      | 'request-too-large'
      | 'not-found'
      | 'log-collected'
      | 'method-not-allowed'
      | 'unsupported-media-type'
      | 'idempotency-conflict'
      | 'already-proposed'
      | 'unauthenticated'
      | 'forbidden'
      | 'no-quorum'
      | 'overloaded'
      | 'shutting-down'
      | 'bus-unavailable'
      | 'issuer-unavailable'
      | 'internal'
    >
  | 'request-timeout';

interface Kind {
  readonly status: number;
  readonly title: string;
  /** Seconds after which it is worth trying again. */
  readonly retryAfterSeconds?: number;
  /** Said instead of the error's own message, which may name what is not the caller's business. */
  readonly fixedDetail?: string;
}

export const PROBLEM_KINDS: Readonly<Record<ProblemCode, Kind>> = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'Who asks is not known' },
  forbidden: { status: 403, title: 'Who asks may not do this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'The resource does not have this method' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'idempotency-conflict': { status: 409, title: 'The idempotency key belongs to another operation' },
  'already-proposed': { status: 409, title: 'It is too late to cancel the request' },
  'log-collected': { status: 410, title: 'The log no longer goes back so far' },
  'request-too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The content is of a type that is not taken' },
  overloaded: { status: 429, title: 'There are too many requests', retryAfterSeconds: 1 },
  internal: { status: 500, title: 'Something went wrong', fixedDetail: 'The log has the cause under this instance.' },
  'bus-unavailable': {
    status: 503,
    title: 'The cluster cannot be reached',
    retryAfterSeconds: 1,
    fixedDetail: 'The bus between the gateway and the replicas does not answer.',
  },
  'issuer-unavailable': {
    status: 503,
    title: 'Nobody can tell who asks',
    retryAfterSeconds: 1,
    fixedDetail: 'The keys of the issuer of tokens cannot be fetched.',
  },
  'shutting-down': { status: 503, title: 'The gateway is shutting down', retryAfterSeconds: 1 },
  'no-quorum': { status: 504, title: 'Too few replicas agreed in time' },
};

/** An error that is answered as it stands. For a `QuorateError` the table above knows status and headers. */
export class HttpProblem extends Error {
  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly extras: {
      /** When it is not the code's own status. */
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(detail);
    this.name = 'HttpProblem';
  }
}

/** An RFC 9457 problem with the headers that go with it. */
export interface ProblemAnswer {
  readonly status: number;
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** The gateway did not expect this error: it belongs in the log. */
  readonly unexpected: boolean;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** What is answered to `error`; total, and silent about everything that nobody meant for the caller. */
export function problemAnswer(error: unknown): ProblemAnswer {
  const problem = asHttpProblem(error);
  const kind = PROBLEM_KINDS[problem.code];
  const status = problem.extras.status ?? kind.status;
  const retry = kind.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(kind.retryAfterSeconds) };
  return {
    status,
    code: problem.code,
    headers: { ...retry, ...problem.extras.headers },
    unexpected: problem.code === 'internal',
    body: {
      ...problem.extras.details,
      type: `urn:quorate:problem:${problem.code}`,
      title: kind.title,
      status,
      detail: kind.fixedDetail ?? problem.message,
      code: problem.code,
      instance: `urn:uuid:${randomUUID()}`,
    },
  };
}

/** Answers `error` on `response`, unless an answer has begun: then the connection is cut, for there is no other way to say it. */
export function sendProblem(response: ServerResponse, error: unknown): ProblemAnswer {
  const answer = problemAnswer(error);
  noteProblem(response, answer.code);
  if (response.headersSent) {
    response.destroy();
    return answer;
  }
  const body = Buffer.from(JSON.stringify(answer.body));
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.setHeader('Content-Type', PROBLEM_MEDIA_TYPE);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', body.length);
  response.end(body);
  return answer;
}

const sentCode = Symbol('problem code');
type Coded = ServerResponse & { [sentCode]?: ProblemCode };

/** Who answers a problem by itself says so, for `problemCodeOf`. */
export function noteProblem(response: ServerResponse, code: ProblemCode): void {
  (response as Coded)[sentCode] = code;
}

/** The code of the problem that was answered on `response`, if one was. */
export function problemCodeOf(response: ServerResponse): ProblemCode | undefined {
  return (response as Coded)[sentCode];
}

function asHttpProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof QuorateError && isProblemCode(error.code)) {
    // What the client says of a broken bus may name hosts: of its details only the caller's own affairs are told.
    const details = error.code === 'bus-unavailable' ? onlyOutcome(error.details) : error.details;
    return new HttpProblem(error.code, error.message, error.code === 'internal' ? {} : { details });
  }
  // Nest and Express throw these: an unknown route, a path that does not decode, a file outside its folder.
  if (error instanceof HttpException && error.getStatus() < 500) {
    return error.getStatus() === 404
      ? new HttpProblem('not-found', 'There is nothing at this path.')
      : new HttpProblem('invalid-request', 'The path or a header is malformed.');
  }
  return new HttpProblem('internal', '');
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEM_KINDS, code);
}

function onlyOutcome(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(['answered', 'mayStillCommit'].filter((k) => k in details).map((k) => [k, details[k]]));
}
