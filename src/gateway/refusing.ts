import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Connections } from './connections.js';
import type { Edge } from './edge.js';
import { awaitsContinue, expectsTheUnknown } from './http-server.js';
import type { GatewayMetrics } from './metrics.js';
import { noteProblem, PROBLEM_MEDIA_TYPE, problemAnswer, type ProblemAnswer } from './problem.js';

/**
 * Refuses requests for which there is no place, for next to nothing: whoever is busy with refusing answers nobody. The answer is what
 * the usual way would give, made once but for its instance.
 */
export class Refusing {
  readonly #answer: ProblemAnswer;
  readonly #headers: readonly string[];
  readonly #before: string;
  readonly #after: string;
  readonly #count: () => void;

  /** @param refusal what is said @param route of the requests that are refused, all of them `POST` */
  constructor(
    refusal: Error,
    route: string,
    edge: Edge,
    private readonly connections: Connections,
    private readonly metrics: GatewayMetrics,
  ) {
    this.#answer = problemAnswer(refusal);
    const { body, headers, status, code } = this.#answer;
    this.#count = metrics.counterOf({ route, method: 'POST', status: String(status), code });
    const text = JSON.stringify(body);
    const instance = String(body['instance']).slice(-randomUUID().length);
    [this.#before = '', this.#after = ''] = text.split(instance);
    const own = { ...headers, 'Content-Type': PROBLEM_MEDIA_TYPE, 'Content-Length': String(Buffer.byteLength(text)) };
    this.#headers = [...edge.apiHeaders, ...Object.entries(own).flat()];
  }

  /** Whether nothing about the request is unusual: what is goes the usual way, and is refused there. */
  takes(request: IncomingMessage): boolean {
    return (
      request.headers.host !== undefined &&
      !this.connections.draining &&
      !awaitsContinue(request) &&
      !expectsTheUnknown(request)
    );
  }

  refuse(request: IncomingMessage, response: ServerResponse): void {
    const { status, code } = this.#answer;
    response.writeHead(status, STATUS_CODES[status], this.#headers as string[]);
    response.end(this.#before + randomUUID() + this.#after);
    // Behind another answer, or where the client does not read, it is still under way.
    if (response.socket?.writableLength === 0) {
      this.connections.pass(request);
      this.#count();
    } else {
      noteProblem(response, code);
      this.metrics.observe(this.connections.open(request, response));
    }
  }
}
