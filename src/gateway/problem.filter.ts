import type { ServerResponse } from 'node:http';
import { ArgumentsHost, Catch, Inject, NotFoundException, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { GATEWAY_OPTIONS, SILENT_LOGGER, type GatewayLogger, type GatewayOptions } from './options.js';
import { HttpProblem, sendProblem } from './problem.js';
import { RouteTable } from './route-table.js';

/** Answers every error as a problem; what nobody expected is logged under the instance that the caller sees. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger: GatewayLogger;

  constructor(
    @Inject(GATEWAY_OPTIONS) options: GatewayOptions,
    @Inject(RouteTable) private readonly routes: RouteTable,
  ) {
    this.#logger = options.logger ?? SILENT_LOGGER;
  }

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    this.answer(this.#withMethods(exception, request), request, http.getResponse<Response>());
  }

  answer(exception: unknown, { method, path }: Pick<Request, 'method' | 'path'>, response: ServerResponse): void {
    const answer = sendProblem(response, exception);
    if (answer.unexpected) {
      const { instance } = answer.body;
      this.#logger.error({ err: exception, instance, method, path }, 'a request failed');
    }
  }

  /** Nest throws the same for a path that is not there and for one that has other methods. */
  #withMethods(exception: unknown, request: Request): unknown {
    if (!(exception instanceof NotFoundException)) return exception;
    const allowed = this.routes.methodsOf(request.path);
    if (allowed.length === 0 || allowed.includes(request.method)) return exception;
    const headers = { Allow: allowed.join(', ') };
    return new HttpProblem('method-not-allowed', `The resource has ${headers.Allow}.`, { headers });
  }
}
