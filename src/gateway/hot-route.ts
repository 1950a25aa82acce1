import type { IncomingMessage, ServerResponse } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Access } from './access.js';
import { Admission } from './admission.js';
import { Connections } from './connections.js';
import type { Edge } from './edge.js';
import type { Shortcut } from './http-server.js';
import { JsonBodyPipe } from './json-body.js';
import { GatewayMetrics } from './metrics.js';
import { idempotencyKeyOf, OperationPipe } from './operation.js';
import type { ProblemFilter } from './problem.filter.js';
import { Refusing } from './refusing.js';
import { RequestsController } from './requests.controller.js';

const path = '/v1/requests';

/** By which metrics know it, as Express says it. */
const ROUTE = { path };
type Routed = IncomingMessage & { route: typeof ROUTE };

/**
 * `POST /v1/requests` past Express, whose router and middlewares cost more than the agreement on a request does. It has
 * what Nest would have done, by the same providers in the same order: edge, access, admission, pipes, controller, filter.
 * Anything unusual, a query, a preference, or a page of another origin among it, takes the usual way. While there is no
 * place, nobody is asked who they are.
 */
export class HotRoute implements Shortcut {
  readonly #access: Access;
  readonly #admission: Admission;
  readonly #body: JsonBodyPipe;
  readonly #operation: OperationPipe;
  readonly #controller: RequestsController;
  readonly #refusing: Refusing;
  /** Of an answer, but for how long it is. */
  readonly #headers: readonly string[];

  constructor(
    app: INestApplication,
    private readonly edge: Edge,
    private readonly filter: ProblemFilter,
  ) {
    this.#access = app.get(Access);
    this.#admission = app.get(Admission);
    this.#body = app.get(JsonBodyPipe);
    this.#operation = app.get(OperationPipe);
    this.#controller = app.get(RequestsController);
    this.#refusing = new Refusing(this.#admission.refusal(), path, edge, app.get(Connections), app.get(GatewayMetrics));
    this.#headers = [...edge.apiHeaders, 'Content-Type', 'application/json; charset=utf-8', 'Content-Length'];
  }

  takes({ method, url, headers }: IncomingMessage): boolean {
    return method === 'POST' && url === path && headers['prefer'] === undefined && !this.edge.isCrossOrigin(headers);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    (request as Routed).route = ROUTE;
    if (this.#admission.isFull && this.#refusing.takes(request)) {
      this.#refusing.refuse(request, response);
      return;
    }
    const problem = this.edge.enter(request, response);
    if (problem === undefined) void this.#answer(request, response);
    else this.#fail(problem, request, response);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (this.#access.isOn) await this.#access.admit(request);
      this.#admission.enter(request);
      const idempotencyKey = idempotencyKeyOf(request);
      const submitted = this.#operation.transform(await this.#body.transform(request));
      const reply = await this.#controller.answer(request, idempotencyKey, submitted);
      const content = JSON.stringify(reply);
      response.writeHead(200, [...this.#headers, String(Buffer.byteLength(content))]);
      response.end(content); // a text leaves in one piece with its headers
    } catch (error) {
      this.#fail(error, request, response);
    }
  }

  #fail(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (!response.headersSent) this.edge.dress(request, response);
    this.filter.answer(error, { method: 'POST', path }, response);
  }
}
