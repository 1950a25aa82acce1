import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ClusterClient, ClusterStatus } from '../client/cluster-client.js';
import type { AsyncRequests } from '../queue/async-requests.js';
import { Admission } from './admission.js';
import type { Exchange } from './connections.js';
import { CLUSTER_CLIENT, GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { problemCodeOf, type ProblemCode } from './problem.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Reasons come from replicas, any of which may lie: their number and form are bounded here. */
const REASONS_MAX = 64;
const REASON = /^[a-z0-9-]{1,48}$/;
const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What becomes of a request, as the counter of requests has it. */
interface Outcome {
  readonly route: string;
  readonly method: string;
  readonly status: string;
  readonly code: string;
}

/** What Prometheus reads at `/metrics`. */
@Injectable()
export class GatewayMetrics {
  readonly registry: Registry;
  readonly #requests: Counter;
  readonly #duration: Histogram;
  /** Outcomes that the counter does not have yet. */
  readonly #uncounted: { readonly outcome: Outcome; count: number }[] = [];

  constructor(
    @Inject(GATEWAY_OPTIONS) options: GatewayOptions,
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) admission: Admission,
  ) {
    this.registry = options.metrics ?? new Registry();
    const registers = [this.registry];
    const uncounted = this.#uncounted;
    this.#requests = new Counter({
      name: 'quorate_http_requests_total',
      help: 'Requests by route, method, status and problem code (ok when there was no problem).',
      labelNames: ['route', 'method', 'status', 'code'],
      registers,
      collect() {
        for (const waiting of uncounted) {
          if (waiting.count > 0) this.inc({ ...waiting.outcome }, waiting.count);
          waiting.count = 0;
        }
      },
    });
    this.#duration = new Histogram({
      name: 'quorate_http_request_duration_seconds',
      help: 'From the headers of a request to the end of its answer, but for 429.',
      labelNames: ['route', 'method'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    new Gauge({
      name: 'quorate_gateway_in_flight',
      help: 'Requests on their way through the cluster.',
      registers,
      collect() {
        this.set(admission.inFlight);
      },
    });
    new Gauge({
      name: 'quorate_gateway_in_flight_max',
      help: 'Requests that may be on their way at once, so that each is answered in time.',
      registers,
      collect() {
        this.set(admission.places);
      },
    });
    new Gauge({
      name: 'quorate_gateway_bus_connected',
      help: '1 when the bus answers.',
      registers,
      collect() {
        this.set(client.connected ? 1 : 0);
      },
    });
    this.#registerReplicas(registers);
    if (options.queue !== undefined) registerQueue(options.queue, registers);
  }

  /** Counts an exchange when it is over. */
  observe(exchange: Exchange): void {
    exchange.onEnd(() => {
      const { request, response } = exchange;
      const route = routeOf(request);
      const method = METHODS.has(request.method ?? '') ? String(request.method) : 'other';
      const outcome = outcomeOf(response);
      this.#requests.inc({ route, method, ...outcome });
      // What is refused at once says nothing of how long answers take.
      if (outcome.code !== 'overloaded') {
        this.#duration.observe({ route, method }, (performance.now() - exchange.startedAt) / 1000);
      }
    });
  }

  /**
   * Counts an outcome for next to nothing: in a number of its own, until somebody reads the metrics. How long it took is not told.
   * @returns what counts one
   */
  counterOf(outcome: Outcome): () => void {
    const waiting = { outcome, count: 0 };
    this.#uncounted.push(waiting);
    return () => {
      waiting.count += 1;
    };
  }

  /** Counts what never became a request. */
  observeUnparsed(code: ProblemCode): void {
    this.#requests.inc({ route: 'unparsed', method: 'other', status: 'none', code });
  }

  #registerReplicas(registers: Registry[]): void {
    const status = (): ClusterStatus['replicas'] => statusOf(this.client);
    new Gauge({
      name: 'quorate_replica_connected',
      help: '1 when the gateway hears the replica.',
      labelNames: ['replica'],
      registers,
      collect() {
        this.reset();
        for (const { replica, connected } of status()) this.set({ replica }, connected ? 1 : 0);
      },
    });
    new Gauge({
      name: 'quorate_replica_last_executed',
      help: 'Sequence number that the replica executed last, by its own word.',
      labelNames: ['replica'],
      registers,
      collect() {
        this.reset();
        for (const { replica, lastExecuted } of status()) {
          if (lastExecuted !== null) this.set({ replica }, lastExecuted);
        }
      },
    });
    new Gauge({
      name: 'quorate_replica_refused',
      help: 'Frames that the replica refused since it started, by reason, by its own word.',
      labelNames: ['replica', 'reason'],
      registers,
      collect() {
        this.reset();
        for (const { replica, refused } of status()) {
          for (const [reason, count] of Object.entries(refused).slice(0, REASONS_MAX)) {
            if (Number.isFinite(count)) this.inc({ replica, reason: REASON.test(reason) ? reason : 'other' }, count);
          }
        }
      },
    });
  }
}

function registerQueue(queue: AsyncRequests, registers: Registry[]): void {
  new Gauge({
    name: 'quorate_queue_requests',
    help: 'Asynchronous requests by the state of their job, in the whole cluster.',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      const counts = await queue.counts().catch(() => ({}));
      for (const [state, count] of Object.entries(counts)) this.set({ state }, count);
    },
  });
}

/** Metrics are shown even while the client knows no status. */
function statusOf(client: ClusterClient): ClusterStatus['replicas'] {
  try {
    return client.status().replicas;
  } catch {
    return [];
  }
}

function routeOf(request: IncomingMessage & { readonly route?: { readonly path?: unknown } }): string {
  const path = request.route?.path;
  return typeof path === 'string' ? path : 'unmatched';
}

function outcomeOf(response: ServerResponse): { status: string; code: string } {
  if (!response.writableFinished) return { status: 'none', code: 'client-gone' };
  return { status: String(response.statusCode), code: problemCodeOf(response) ?? 'ok' };
}
