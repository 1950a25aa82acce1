import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { HttpProblem } from './problem.js';

/** Where a request has its exchange: a WeakMap of all of them costs several times as much, garbage collection included. */
const exchangeOf = Symbol('exchange');
type Exchanged = IncomingMessage & { [exchangeOf]?: Exchange };

/** One request and its response, until the response is sent or the client is gone. */
export class Exchange {
  /** Milliseconds of `performance.now()`. */
  readonly startedAt = performance.now();
  readonly #persistent: boolean;
  #isStream = false;
  #callbacks: (() => void)[] | undefined = [];
  #bodyWaiter: ((problem: HttpProblem) => void) | undefined;
  #bodyProblem: HttpProblem | undefined;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.#persistent = response.shouldKeepAlive;
  }

  /** Runs `callback` once, when the exchange is over. */
  onEnd(callback: () => void): void {
    if (this.#callbacks === undefined) callback();
    else this.#callbacks.push(callback);
  }

  /** Whether its answer goes on for as long as the client listens. */
  get isStream(): boolean {
    return this.#isStream;
  }

  becomeStream(): void {
    this.#isStream = true;
  }

  /** Why the request's body will never be whole. */
  get bodyProblem(): HttpProblem | undefined {
    return this.#bodyProblem;
  }

  breakBody(problem: HttpProblem): void {
    this.#bodyProblem = problem;
    this.#bodyWaiter?.(problem);
  }

  /** Calls `waiter` when the body breaks. */
  onBrokenBody(waiter: (problem: HttpProblem) => void): void {
    this.#bodyWaiter = waiter;
  }

  /** Whether the response will say `Connection: close`; without effect once its headers are sent. */
  closeAfter(close: boolean): void {
    this.response.shouldKeepAlive = this.#persistent && !close;
  }

  end(): void {
    const callbacks = this.#callbacks ?? [];
    this.#callbacks = undefined;
    for (const callback of callbacks) callback();
  }
}

/** What a connection is doing. */
interface Connection {
  /** In the order of their requests; more than one when the client pipelines. */
  readonly exchanges: Set<Exchange>;
  /** The last request on it, over or not. */
  last: IncomingMessage | undefined;
  /** Bytes that had come in when its last exchange ended: more of them are the beginning of another request. */
  bytesReadAtRest: number;
  /** Of somebody else's server: what else is done on it is not ours to know, nor to cut. */
  readonly isGuest: boolean;
}

/**
 * Every connection and what is under way on it. Node's server knows this too, but tells it badly: a queued pipelined
 * response gets no `close` event when its socket dies, and `closeIdleConnections` counts a response as over before it is
 * written.
 */
@Injectable()
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  #draining = false;

  /** From now on every connection is closed after the last answer on it. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Must be called for each connection of somebody else's server, before a request on it is opened; it may be called again. */
  addGuest(socket: Socket): void {
    if (!this.#connections.has(socket)) this.add(socket, true);
  }

  /** Must be called for each new connection of the server. */
  add(socket: Socket, isGuest = false): void {
    const connection: Connection = { exchanges: new Set(), last: undefined, bytesReadAtRest: 0, isGuest };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const exchange of connection.exchanges) exchange.end();
      connection.exchanges.clear();
    });
  }

  /** Must be called for each request, before anything else sees it. */
  open(request: IncomingMessage, response: ServerResponse): Exchange {
    const exchange = new Exchange(request, response);
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (this.#draining) {
      // A response that says `close` ends the connection, so only the last one of a pipeline may say it.
      for (const earlier of connection?.exchanges ?? []) earlier.closeAfter(false);
      exchange.closeAfter(true);
    }
    (request as Exchanged)[exchangeOf] = exchange;
    if (connection !== undefined) connection.last = request;
    connection?.exchanges.add(exchange);
    response.on('close', () => {
      connection?.exchanges.delete(exchange);
      if (connection?.exchanges.size === 0) connection.bytesReadAtRest = socket.bytesRead;
      exchange.end();
      if (this.#draining) this.closeIdle();
    });
    return exchange;
  }

  /** Instead of `open` for a request whose whole answer the system has taken already. */
  pass(request: IncomingMessage): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.last = request;
    if (connection.exchanges.size === 0) connection.bytesReadAtRest = socket.bytesRead;
  }

  /** Whether all requests on a connection are answered, and the last one's body has not come whole: what comes is still of it. */
  isAnsweredEarly(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    return connection?.exchanges.size === 0 && connection.last?.complete === false;
  }

  of(request: IncomingMessage): Exchange | undefined {
    return (request as Exchanged)[exchangeOf];
  }

  /** The unfinished exchanges of a connection, oldest first. */
  on(socket: Socket): readonly Exchange[] {
    return [...(this.#connections.get(socket)?.exchanges ?? [])];
  }

  drain(): void {
    this.#draining = true;
    for (const { exchanges } of this.#connections.values()) [...exchanges].at(-1)?.closeAfter(true);
    this.closeIdle();
  }

  /** Closes the connections on which nothing is under way: no answer is owed and no request has begun. */
  closeIdle(): void {
    for (const [socket, connection] of this.#connections) {
      const { isGuest, exchanges, bytesReadAtRest } = connection;
      if (!isGuest && exchanges.size === 0 && socket.bytesRead === bytesReadAtRest) socket.destroy();
    }
  }

  /**
   * Cuts the connections on which an exchange has lasted longer than `exchangeMsMax`: whoever does not read the answer
   * would keep the exchange's place for ever. Streams have limits of their own.
   */
  closeOverdue(exchangeMsMax: number): void {
    const startedBefore = performance.now() - exchangeMsMax;
    for (const [socket, { exchanges }] of this.#connections) {
      const [oldest] = exchanges;
      if (oldest?.isStream === false && oldest.startedAt < startedBefore) socket.destroy();
    }
  }

  /** Cuts whatever is left. */
  closeAll(): void {
    for (const [socket, { isGuest, exchanges }] of this.#connections) {
      if (!isGuest || exchanges.size > 0) socket.destroy();
    }
  }

  /** Settles when all that is under way now is over. */
  async settled(): Promise<void> {
    const exchanges = [...this.#connections.values()].flatMap((connection) => [...connection.exchanges]);
    await Promise.all(
      exchanges.map(
        (exchange) =>
          new Promise<void>((resolve) => {
            exchange.onEnd(resolve);
          }),
      ),
    );
  }
}
