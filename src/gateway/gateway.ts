import 'reflect-metadata';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { ClusterClient } from '../client/cluster-client.js';
import { AccessGuard } from './access.js';
import { Connections } from './connections.js';
import { Edge } from './edge.js';
import { EventStreams } from './events/event-streams.js';
import { GatewayModule } from './gateway.module.js';
import { HotRoute } from './hot-route.js';
import { attendToServer, GatewayHttpAdapter } from './http-server.js';
import { GatewayMetrics } from './metrics.js';
import { setupOpenApi } from './openapi.js';
import { mount } from './mount.js';
import { CLIENT_GRACE_MS, SILENT_LOGGER, type GatewayOptions } from './options.js';
import { OPERATOR_PATH, QUEUES_PATH } from './operator-path.js';
import { operatorGate } from './operator.js';
import { ProblemFilter } from './problem.filter.js';
import { RouteTable } from './route-table.js';

export type { GatewayOptions } from './options.js';

/** How much longer a shutdown waits than any accepted request may take: for writing the last answers. */
const LAST_WORDS_MS = 500;

export interface Gateway {
  /** Where it listens, without a slash at the end. Throws before `listen` has settled. */
  readonly url: string;
  /** Opens the port. Rejects with the error of the system when that fails (`EADDRINUSE`, `EACCES`). */
  listen(): Promise<void>;
  /** Answers, from now on, what `server` gets below `mountedAt`, before whatever else answers there. Instead of `listen`. */
  mountOn(server: Server): void;
  /**
   * Takes no new connection, answers 503 `shutting-down` to new requests on those that are open, waits for the answers to
   * what was accepted (at most the deadline and a second), and then closes what is left. May be called again. The client
   * stays open: it is the caller's.
   */
  close(): Promise<void>;
}

/** Builds the gateway's HTTP edge over `client`; nothing listens yet. */
export async function createGateway(client: ClusterClient, options: GatewayOptions): Promise<Gateway> {
  const adapter = new GatewayHttpAdapter(options);
  const app = await NestFactory.create<NestExpressApplication>(GatewayModule.forRoot(client, options), adapter, {
    logger: false,
    bodyParser: false,
    cors: false,
    abortOnError: false,
  });
  const connections = app.get(Connections);
  const metrics = app.get(GatewayMetrics);
  const server: Server = app.getHttpServer();
  attendToServer(server, connections, metrics);
  app.disable('x-powered-by');
  app.disable('etag');
  const edge = new Edge(connections, metrics, options.corsOrigins);
  const filter = new ProblemFilter(options, app.get(RouteTable));
  app.use(edge.middleware);
  app.useGlobalFilters(filter);
  app.useGlobalGuards(app.get(AccessGuard));
  setupOpenApi(app, options);
  await mountOperator(app, options);
  await app.init();
  adapter.shortcut = new HotRoute(app, edge, filter);
  adapter.onRequest = () => {
    client.attend();
  };
  return new HttpGateway(app, adapter, connections, options);
}

/** Past Nest: bull-board is an Express application. Without a key the operator has no pages. */
async function mountOperator(app: NestExpressApplication, options: GatewayOptions): Promise<void> {
  const { operatorKey, queue, mountedAt } = options;
  if (operatorKey === undefined || mountedAt !== undefined) return;
  app.use(OPERATOR_PATH, operatorGate(operatorKey));
  if (queue !== undefined) app.use(QUEUES_PATH, await queue.board(QUEUES_PATH));
}

class HttpGateway implements Gateway {
  #closing: Promise<void> | undefined;
  #overdueCheck: NodeJS.Timeout | undefined;

  constructor(
    private readonly app: NestExpressApplication,
    private readonly adapter: GatewayHttpAdapter,
    private readonly connections: Connections,
    private readonly options: GatewayOptions,
  ) {}

  private get server(): Server {
    return this.app.getHttpServer();
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the gateway does not listen');
    return `http://${hostOf(address)}:${String(address.port)}`;
  }

  async listen(): Promise<void> {
    const { port, host } = this.options;
    await this.app.listen(port, host);
    this.#cutOverdue();
    (this.options.logger ?? SILENT_LOGGER).info({ url: this.url }, 'the gateway listens');
  }

  mountOn(server: Server): void {
    const { mountedAt = '' } = this.options;
    mount(server, mountedAt, (request, response) => {
      this.connections.addGuest(request.socket);
      this.adapter.handle(request, response);
    });
    this.#cutOverdue();
  }

  #cutOverdue(): void {
    const { deadlineMs } = this.options;
    // A deadline each for the request to come, for the cluster's answer, and for the client to take it.
    this.#overdueCheck = setInterval(
      () => {
        this.connections.closeOverdue(3 * deadlineMs + CLIENT_GRACE_MS);
      },
      Math.min(1000, deadlineMs),
    ).unref();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { deadlineMs, logger = SILENT_LOGGER } = this.options;
    this.connections.drain();
    this.app.get(EventStreams).closeAll();
    const closed = this.options.mountedAt === undefined ? this.#unlistened() : this.connections.settled();
    const cut = setTimeout(
      () => {
        logger.warn({ deadlineMs }, 'connections were cut at the end of the shutdown');
        this.connections.closeAll();
      },
      deadlineMs + CLIENT_GRACE_MS + LAST_WORDS_MS,
    );
    await closed;
    clearTimeout(cut);
    clearInterval(this.#overdueCheck);
    await this.app.close();
  }

  /** Node.js closes the idle connections with the listener, through `Connections`. */
  #unlistened(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }
}

function hostOf(address: AddressInfo): string {
  if (address.address === '0.0.0.0' || address.address === '::') return 'localhost';
  return address.family === 'IPv6' ? `[${address.address}]` : address.address;
}
