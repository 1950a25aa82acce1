import type { Registry } from 'prom-client';
import type { AccessControl } from '../access/access-control.js';
import type { AsyncRequests } from '../queue/async-requests.js';
import type { StateMachine } from '../state-machine/state-machine.js';

/** The part of a pino logger that the gateway uses. */
export interface GatewayLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface GatewayOptions {
  /** Its `operation` checks what is submitted; `/v1/kv` is there only if it has `query`. */
  readonly stateMachine: Pick<StateMachine<unknown>, 'name' | 'operation' | 'query' | 'touches'>;
  /** Bytes of a request's body at most. */
  readonly bodyBytesMax: number;
  /** Requests that may be on their way through the cluster at once, at most: fewer while answers are slow. Above it 429 is answered. */
  readonly inFlightMax: number;
  /** Milliseconds: for receiving one request whole, and again for the cluster's answer to it. */
  readonly deadlineMs: number;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** It answers below this path of somebody else's server, instead of listening: `''`, or `/` and a name, or several such. */
  readonly mountedAt?: string | undefined;
  /** Open connections at most; further ones are closed at once. By default four for each request in flight, at least 1024. */
  readonly connectionsMax?: number;
  /** Asynchronous requests are taken only with it; without it the preference for them is ignored. */
  readonly queue?: AsyncRequests;
  /** Tells clients apart. Without it everybody may do everything. */
  readonly access?: AccessControl | undefined;
  /** Whose pages may read the answers (CORS): origins, or `*`. None by default. */
  readonly corsOrigins?: readonly string[];
  /** Who may read `/metrics`: everybody unless it says otherwise. */
  readonly metricsAccess?: 'open' | 'operator';
  /** `/operator` is there only with it, and is for those who have it. */
  readonly operatorKey?: string | undefined;
  /** Nothing is logged without it. */
  readonly logger?: GatewayLogger;
  /** Where the gateway registers its metrics; its own registry by default. `/metrics` shows all of it. */
  readonly metrics?: Registry;
}

/** Tokens for what is not a class. */
export const CLUSTER_CLIENT = Symbol('ClusterClient');
export const GATEWAY_OPTIONS = Symbol('GatewayOptions');
export const ASYNC_REQUESTS = Symbol('AsyncRequests');

/**
 * How much later than its own deadline a client call is given up: only a client that breaks its promise to settle is
 * cut off here.
 */
export const CLIENT_GRACE_MS = 500;

export const SILENT_LOGGER: GatewayLogger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
