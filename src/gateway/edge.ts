import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';
import { QuorateError } from '../errors.js';
import type { Connections } from './connections.js';
import { crossOrigin } from './cross-origin.js';
import { headerValues } from './headers.js';
import { awaitsContinue, expectsTheUnknown } from './http-server.js';
import type { GatewayMetrics } from './metrics.js';
import { OPERATOR_PATH } from './operator-path.js';
import { HttpProblem, sendProblem } from './problem.js';

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Characters of a request's target at most: no key that a path names is longer. */
const URL_LENGTH_MAX = 8 * 1024;

/** Comes before Nest: what holds for every request, whatever its path. */
export class Edge {
  /**
   * What every answer of the API says besides its content, where `isCrossOrigin` does not hold: for `writeHead`, which takes
   * a tenth of the time of a `setHeader` for each.
   */
  readonly apiHeaders: readonly string[];

  constructor(
    private readonly connections: Connections,
    private readonly metrics: GatewayMetrics,
    private readonly corsOrigins: readonly string[] = [],
  ) {
    const headers: Headers = [...API, ...(corsOrigins.length === 0 ? [] : [['Vary', 'Origin'] as const])];
    this.apiHeaders = headers.flat();
  }

  readonly middleware: Middleware = (request, response, next) => {
    const problem = this.enter(request, response);
    if (this.dress(request, response)) return;
    if (problem === undefined) next();
    else sendProblem(response, problem);
  };

  /** Takes note of a request. @returns why it is not taken, if it is not */
  enter(request: IncomingMessage, response: ServerResponse): HttpProblem | QuorateError | undefined {
    const exchange = this.connections.open(request, response);
    this.metrics.observe(exchange);
    // Whoever reads the body asks for it. A client that is answered without it must not reuse the connection: nobody could
    // tell its body from its next request.
    if (awaitsContinue(request) || expectsTheUnknown(request)) exchange.closeAfter(true);
    return this.connections.draining && !isProbe(request.url ?? '') ? shuttingDown() : refusal(request);
  }

  /** Whether an answer may say more than `apiHeaders`, since other origins may read it. */
  isCrossOrigin({ origin }: IncomingMessage['headers']): boolean {
    return origin !== undefined && this.corsOrigins.length > 0;
  }

  /** Sets what the answer says besides its content. @returns whether that was all, and it is sent */
  dress(request: IncomingMessage, response: ServerResponse): boolean {
    secure(request, response);
    return crossOrigin(request, response, this.corsOrigins);
  }
}

function refusal(request: IncomingMessage): HttpProblem | undefined {
  const { url = '', httpVersion } = request;
  if (url.length > URL_LENGTH_MAX) {
    const detail = `The URL is longer than ${String(URL_LENGTH_MAX)} characters.`;
    return new HttpProblem('request-too-large', detail, { status: 414 });
  }
  const hosts = headerValues(request, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && httpVersion === '1.1')) {
    return new HttpProblem('invalid-request', 'The request needs one Host header.');
  }
  if (expectsTheUnknown(request)) {
    return new HttpProblem('invalid-request', 'The only expectation that is met is 100-continue.', { status: 417 });
  }
  return undefined;
}

function shuttingDown(): QuorateError {
  return new QuorateError('shutting-down', 'The gateway takes no more requests. This one was not executed.');
}

/** What an operator watches during a shutdown. */
function isProbe(url: string): boolean {
  return /^\/(health\/(live|ready)|metrics)(\?|$)/.test(url);
}

type Headers = readonly (readonly [name: string, value: string])[];

const noStore = ['Cache-Control', 'no-store'] as const;

/** With content security policies: the API's answers may do nothing, the status page only what it does. */
const API = [noStore, ...helmetWith({ defaultSrc: ["'none'"], frameAncestors: ["'none'"] })];
const PAGE = [
  noStore,
  ...helmetWith({
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  }),
];
const DOCS = helmetWith({
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  // Swagger UI, and the queues' page, have style elements in the page and style attributes in what they draw.
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
});

const OPERATOR = [noStore, ...DOCS];

/** What helmet sets with these directives: the same for every request, so it is asked once. */
function helmetWith(directives: Record<string, string[]>): Headers {
  const headers: [string, string][] = [];
  const response = {
    setHeader: (name: string, value: string) => headers.push([name, value]),
    removeHeader: () => undefined,
  };
  const middleware = helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    // Whether the name is served over TLS alone is for whoever ends TLS before the gateway to say.
    strictTransportSecurity: false,
  });
  middleware({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw error as Error;
  });
  return headers;
}

function secure(request: IncomingMessage, response: ServerResponse): void {
  const [path = ''] = (request.url ?? '').split('?', 1);
  for (const [name, value] of headersAt(path)) response.setHeader(name, value);
}

function headersAt(path: string): Headers {
  if (isBelow(path, '/docs')) return DOCS;
  if (isBelow(path, OPERATOR_PATH)) return OPERATOR;
  return path === '/' ? PAGE : API;
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}
