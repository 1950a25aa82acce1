import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Connections, Exchange } from './connections.js';
import type { GatewayMetrics } from './metrics.js';
import type { GatewayOptions } from './options.js';
import { HttpProblem, PROBLEM_MEDIA_TYPE, problemAnswer } from './problem.js';

/** Bytes of a request's line and headers at most. */
const HEADER_BYTES_MAX = 16 * 1024;
/** Longer than the 60 s after which load balancers commonly drop an idle connection: the gateway never closes first. */
const KEEP_ALIVE_MS = 65_000;

/**
 * Connections that wait to be taken, at most; the system may have a lower limit. Where there is no room a client's system tries again
 * only after 1, 3, 7 … s, which is longer than a gateway that is busy for a moment takes to refuse.
 */
const BACKLOG = 4096;

/** Answers some requests without Express. */
export interface Shortcut {
  takes(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** Nest's Express adapter over a server with limits: Nest passes none on. */
export class GatewayHttpAdapter extends ExpressAdapter {
  shortcut: Shortcut | undefined;
  /** Called for each request, before anything else. */
  onRequest: () => void = () => undefined;
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    super();
    this.#options = options;
  }

  /** Answers one request, of whichever server. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.onRequest();
    if (this.shortcut?.takes(request) === true) this.shortcut.handle(request, response);
    else this.getInstance<(request: IncomingMessage, response: ServerResponse) => void>()(request, response);
  }

  override initHttpServer(): void {
    const { deadlineMs, inFlightMax, connectionsMax } = this.#options;
    const server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: deadlineMs,
        requestTimeout: deadlineMs,
        connectionsCheckingInterval: Math.min(1000, Math.max(20, Math.floor(deadlineMs / 4))),
        keepAliveTimeout: KEEP_ALIVE_MS,
        // The gateway refuses it itself, with a problem.
        requireHostHeader: false,
        insecureHTTPParser: false,
      },
      (request, response) => {
        this.handle(request, response);
      },
    );
    server.maxConnections = connectionsMax ?? Math.max(1024, 4 * inFlightMax);
    this.httpServer = server;
  }

  override listen(port: string | number, ...rest: unknown[]): Server {
    const host = rest.find((one) => typeof one === 'string');
    const onListening = rest.find((one) => typeof one === 'function') as (() => void) | undefined;
    return (this.httpServer as Server).listen({ port: Number(port), host, backlog: BACKLOG }, onListening);
  }
}

/** Makes `server` answer a problem where Node.js would answer an empty text, and tell `connections` what it does. */
export function attendToServer(server: Server, connections: Connections, metrics: GatewayMetrics): void {
  server.closeIdleConnections = () => {
    connections.closeIdle();
  };
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    onClientError(error, stream as Socket, connections, metrics);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaitingContinue.add(request);
    server.emit('request', request, response);
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    unmetExpectation.add(request);
    server.emit('request', request, response);
  });
  server.on('connect', (request: IncomingMessage, stream: Duplex) => {
    const detail = 'The gateway is no proxy.';
    metrics.observeUnparsed('method-not-allowed');
    answerRaw(stream as Socket, new HttpProblem('method-not-allowed', detail, { headers: { Allow: '' } }));
    request.resume();
  });
}

const awaitingContinue = new WeakSet<IncomingMessage>();
const unmetExpectation = new WeakSet<IncomingMessage>();

/** Whether the client waits for `100 Continue` before it sends its body. */
export function awaitsContinue(request: IncomingMessage): boolean {
  return awaitingContinue.has(request);
}

/** Whether the client expects something other than `100 Continue`. */
export function expectsTheUnknown(request: IncomingMessage): boolean {
  return unmetExpectation.has(request);
}

const failedSockets = new WeakSet<Socket>();

/**
 * What came in is not HTTP, or did not come in time. Answers that are owed to earlier requests of the connection go
 * first; the one whose body broke gets the problem as its answer.
 */
function onClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Connections,
  metrics: GatewayMetrics,
): void {
  // The parser fails again on every further byte.
  if (failedSockets.has(socket)) return;
  failedSockets.add(socket);
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable) {
    socket.destroy();
    return;
  }
  // It has its answer: a second one would be taken for that of the next request.
  if (connections.isAnsweredEarly(socket)) {
    socket.destroySoon();
    return;
  }
  const problem = problemOfParser(error.code);
  const exchanges = connections.on(socket);
  const last = exchanges.at(-1);
  if (last === undefined) {
    metrics.observeUnparsed(problem.code);
    answerRaw(socket, problem);
    return;
  }
  const broken = last.request.complete ? undefined : last;
  broken?.closeAfter(true);
  broken?.breakBody(problem);
  afterAll(exchanges, () => {
    if (broken === undefined) {
      metrics.observeUnparsed(problem.code);
      answerRaw(socket, problem);
    } else {
      socket.destroySoon();
    }
  });
}

function afterAll(exchanges: readonly Exchange[], callback: () => void): void {
  let left = exchanges.length;
  for (const exchange of exchanges) {
    exchange.onEnd(() => {
      left -= 1;
      if (left === 0) callback();
    });
  }
}

function problemOfParser(code: string | undefined): HttpProblem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpProblem('request-timeout', 'The request did not arrive within the deadline.');
    case 'HPE_HEADER_OVERFLOW':
      return new HttpProblem(
        'request-too-large',
        `The request line and headers are longer than ${String(HEADER_BYTES_MAX)} bytes.`,
        { status: 431 },
      );
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HttpProblem('request-too-large', 'The chunk extensions are too long.');
    default:
      return new HttpProblem('invalid-request', 'What was sent is not a well-formed HTTP/1.1 request.');
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** Writes a problem to a connection that has no response object, and ends the connection. */
function answerRaw(socket: Socket, problem: HttpProblem): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problemAnswer(problem);
  const content = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${String(status)} ${REASONS[status] ?? 'Error'}`,
    `Date: ${new Date().toUTCString()}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${String(Buffer.byteLength(content))}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${content}`);
  socket.destroySoon();
}
