import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { QuorateError } from '../errors.js';
import { logSizeMax } from '../wire/views.js';
import { DEFAULTS, DEFINITIONS, type LogLevel, type SettingName } from './setting-definitions.js';

/** All that a process of Quorate may be told from outside. Checked and frozen: nobody reads the environment after this. */
export interface Settings {
  /** The bus: a URL, `unix:///PATH` or a bare socket path. `undefined`: `quorate up` starts one. */
  readonly redisUrl: string | undefined;
  /** Where this replica keeps its own log; the bus unless LOG_REDIS_URL says otherwise. */
  readonly logRedisUrl: string | undefined;
  /** Where the queue of asynchronous requests is kept; the bus unless QUEUE_REDIS_URL says otherwise. */
  readonly queueRedisUrl: string | undefined;
  readonly cluster: string;
  /** n at genesis, 4 to 64. */
  readonly replicas: number;
  /** `undefined`: enrolment allots a name. */
  readonly replicaId: string | undefined;
  readonly gatewayId: string | undefined;
  /** Absolute. */
  readonly dataDir: string;
  readonly port: number;
  readonly host: string;
  /** At least 16 characters. Goes before `joinTokenFile`. Never print it. */
  readonly joinToken: string | undefined;
  /** Absolute. */
  readonly joinTokenFile: string | undefined;
  /** Operations in one batch, at most. */
  readonly batchSize: number;
  /** K: a checkpoint every so many sequence numbers. */
  readonly checkpointInterval: number;
  /** L: how far the high water mark is above the low one; at least 2K. */
  readonly logSize: number;
  readonly requestTimeoutMs: number;
  readonly viewChangeTimeoutMs: number;
  /** How long a gateway waits for f+1 matching replies. */
  readonly deadlineMs: number;
  /** Requests that a gateway has waiting, at most. */
  readonly inFlightMax: number;
  readonly bodyBytesMax: number;
  /** Asynchronous requests that may wait, be under way or wait for another attempt. */
  readonly queueLengthMax: number;
  /** Asynchronous requests that one gateway has under way at once. */
  readonly queueConcurrency: number;
  /** How often an asynchronous request is tried before it has failed. */
  readonly queueAttempts: number;
  /** How long the results of asynchronous requests are kept, seconds. */
  readonly resultsKeepS: number;
  /** Webhooks are signed with it, and off without it. Never print it. */
  readonly webhookSecret: string | undefined;
  /** The only hosts that webhooks go to, lower case; `*.` at the beginning stands for any name below. */
  readonly webhookHosts: readonly string[];
  /** Absolute: the clients and their rights. */
  readonly accessFile: string | undefined;
  /** Whose tokens are taken, besides API keys; they are all there or none is. */
  readonly jwt: JwtSettings | undefined;
  /** Requests of one client in a minute, at all gateways together, unless ACCESS_FILE says otherwise for it. */
  readonly requestsPerMinute: number;
  /** Whose pages may read the gateway's answers; `*` is everybody's. */
  readonly corsOrigins: readonly string[];
  readonly metricsAccess: 'open' | 'operator';
  /** Opens the operator's pages, which are not there without it. Never print it. */
  readonly operatorKey: string | undefined;
  /**
   * Whether a replica executes every operation twice and reports those that do not come to the same. `undefined`: it does not,
   * but those of `quorate up` with a state machine of one's own do.
   */
  readonly checkDeterminism: boolean | undefined;
  readonly logLevel: LogLevel;
  /** The gateway that the client's commands talk to. */
  readonly quorateUrl: string;
  /** The API key or token that the client's commands show it. Never print it. */
  readonly quorateKey: string | undefined;
  /** Absolute: where an unpacked Redis is kept. */
  readonly cacheDir: string;
}

/** JSON Web Tokens that the gateway takes. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** URL or path of the issuer's public keys; when it is not there, `secret` is. */
  readonly jwks: string | undefined;
  /** For HS256. Never print it. */
  readonly secret: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;
export type Flags = Readonly<Partial<Record<SettingName, string | undefined>>>;

/** The one place where the process's environment is read. */
export function processEnvironment(): Environment {
  return process.env;
}

/**
 * Flags go before the environment, the environment before defaults; an empty text counts as not given (compose files
 * hand over empty ones).
 * @throws {QuorateError} `invalid-setting`, naming the setting, its value and what it should be
 */
export function readSettings(flags: Flags, environment: Environment): Settings {
  const text = (name: SettingName): string | undefined =>
    [flags[name], environment[name], (DEFAULTS as Flags)[name]].find((value) => value !== undefined && value !== '');
  const read = <Name extends SettingName>(name: Name): Value<Name> | undefined => {
    const value = text(name);
    return value === undefined ? undefined : parse(name, value);
  };
  const required = <Name extends keyof typeof DEFAULTS>(name: Name): Value<Name> =>
    parse(name, text(name) ?? DEFAULTS[name]);
  const absolute = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));

  const checkpointInterval = required('CHECKPOINT_INTERVAL');
  const logSize = required('LOG_SIZE');
  if (logSize < 2 * checkpointInterval) {
    const least = String(2 * checkpointInterval);
    throw invalidSetting('LOG_SIZE', String(logSize), `at least twice CHECKPOINT_INTERVAL, which is ${least} here`);
  }
  const replicas = required('REPLICAS');
  const logSizeBound = logSizeMax(replicas);
  if (logSize > logSizeBound) {
    const most = `at most ${String(logSizeBound)} with ${String(replicas)} replicas, or a view change would not fit in a message`;
    throw invalidSetting('LOG_SIZE', String(logSize), most);
  }
  const redisUrl = read('REDIS_URL');
  const operatorKey = read('OPERATOR_KEY');
  const metricsAccess = required('METRICS_ACCESS');
  if (metricsAccess === 'operator' && operatorKey === undefined) {
    throw invalidSetting('OPERATOR_KEY', '', 'a key, when METRICS_ACCESS is operator');
  }
  const webhookSecret = read('WEBHOOK_SECRET');
  const webhookHosts = webhookHostsOf(webhookSecret, read('WEBHOOK_HOSTS'));
  return Object.freeze({
    redisUrl,
    logRedisUrl: read('LOG_REDIS_URL') ?? redisUrl,
    queueRedisUrl: read('QUEUE_REDIS_URL') ?? redisUrl,
    cluster: required('CLUSTER'),
    replicas,
    replicaId: read('REPLICA_ID'),
    gatewayId: read('GATEWAY_ID'),
    dataDir: resolve(required('DATA_DIR')),
    port: required('PORT'),
    host: required('HOST'),
    joinToken: read('JOIN_TOKEN'),
    joinTokenFile: absolute(read('JOIN_TOKEN_FILE')),
    batchSize: required('BATCH_SIZE'),
    checkpointInterval,
    logSize,
    requestTimeoutMs: required('REQUEST_TIMEOUT_MS'),
    viewChangeTimeoutMs: required('VIEW_CHANGE_TIMEOUT_MS'),
    deadlineMs: required('DEADLINE_MS'),
    inFlightMax: required('IN_FLIGHT_MAX'),
    bodyBytesMax: required('BODY_BYTES_MAX'),
    queueLengthMax: required('QUEUE_LENGTH_MAX'),
    queueConcurrency: required('QUEUE_CONCURRENCY'),
    queueAttempts: required('QUEUE_ATTEMPTS'),
    resultsKeepS: required('RESULTS_KEEP_S'),
    webhookSecret,
    webhookHosts,
    accessFile: absolute(read('ACCESS_FILE')),
    jwt: jwtSettings(read('JWT_ISSUER'), read('JWT_AUDIENCE'), read('JWT_JWKS'), read('JWT_SECRET')),
    requestsPerMinute: required('REQUESTS_PER_MINUTE'),
    corsOrigins: read('CORS_ORIGINS') ?? [],
    metricsAccess,
    operatorKey,
    checkDeterminism: read('CHECK_DETERMINISM'),
    logLevel: required('LOG_LEVEL'),
    quorateUrl: required('QUORATE_URL').replace(/\/+$/, ''),
    quorateKey: read('QUORATE_KEY'),
    cacheDir: cacheFolder(environment),
  });
}

function webhookHostsOf(secret: string | undefined, hosts: readonly string[] = []): readonly string[] {
  if (secret === undefined || hosts.length > 0) return hosts.map((host) => host.toLowerCase());
  throw invalidSetting('WEBHOOK_HOSTS', '', 'the hosts that webhooks may go to, when WEBHOOK_SECRET is set');
}

function jwtSettings(
  issuer: string | undefined,
  audience: string | undefined,
  jwks: string | undefined,
  secret: string | undefined,
): JwtSettings | undefined {
  if (jwks === undefined && secret === undefined) {
    if (issuer === undefined && audience === undefined) return undefined;
    throw invalidSetting('JWT_JWKS', '', 'the keys of the issuer, or JWT_SECRET, when tokens are to be taken');
  }
  if (jwks !== undefined && secret !== undefined) {
    throw invalidSetting('JWT_SECRET', secret, 'left out when JWT_JWKS is set: a token is verified by one of them');
  }
  if (issuer === undefined) throw invalidSetting('JWT_ISSUER', '', 'the issuer of the tokens that are to be taken');
  if (audience === undefined) throw invalidSetting('JWT_AUDIENCE', '', 'whom the tokens that are to be taken are for');
  return { issuer, audience, jwks, secret };
}

type Value<Name extends SettingName> = ReturnType<(typeof DEFINITIONS)[Name]['schema']['parse']>;

function parse<Name extends SettingName>(name: Name, value: string): Value<Name> {
  const definition = DEFINITIONS[name];
  const parsed = definition.schema.safeParse(value);
  if (!parsed.success) throw invalidSetting(name, value, definition.expected);
  return parsed.data as Value<Name>;
}

/** The error that every wrong setting ends in, wherever it turns out to be wrong. */
export function invalidSetting(name: SettingName, value: string, expected: string): QuorateError {
  const shown =
    'secret' in DEFINITIONS[name]
      ? `a text of ${String(value.length)} characters`
      : value === ''
        ? 'not set'
        : `"${withoutCredentials(value).slice(0, 200)}"`;
  return new QuorateError('invalid-setting', `${name} is ${shown}: it should be ${expected}`, {
    setting: name,
    value: shown,
    expected,
  });
}

/** A URL as it may be shown: without the user and password in it. */
export function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//…@');
}

/** The XDG base directories' place for what can be fetched again. */
function cacheFolder(environment: Environment): string {
  const base = environment['XDG_CACHE_HOME'];
  return join(base !== undefined && base.startsWith('/') ? base : join(homedir(), '.cache'), 'quorate');
}
