import { invalidSetting, processEnvironment, readSettings, type Flags, type Settings } from '../config/settings.js';
import type { SettingName } from '../config/setting-definitions.js';
import { QuorateError } from '../errors.js';

/** Not for a replica or a gateway; or no plain text, and hence for the environment alone. */
type NotEmbedded = 'quorateUrl' | 'quorateKey' | 'cacheDir' | 'jwt' | 'webhookHosts' | 'corsOrigins';

/** What the command line and the environment may set, by the names of `Settings`; the rest is as there. */
export type EmbeddedSettings = {
  readonly [Name in Exclude<keyof Settings, NotEmbedded>]?: Settings[Name] | undefined;
};

/** Each with the name of its environment variable. */
const NAMES: Readonly<Record<keyof EmbeddedSettings, SettingName>> = {
  redisUrl: 'REDIS_URL',
  logRedisUrl: 'LOG_REDIS_URL',
  queueRedisUrl: 'QUEUE_REDIS_URL',
  cluster: 'CLUSTER',
  replicas: 'REPLICAS',
  replicaId: 'REPLICA_ID',
  gatewayId: 'GATEWAY_ID',
  dataDir: 'DATA_DIR',
  port: 'PORT',
  host: 'HOST',
  joinToken: 'JOIN_TOKEN',
  joinTokenFile: 'JOIN_TOKEN_FILE',
  batchSize: 'BATCH_SIZE',
  checkpointInterval: 'CHECKPOINT_INTERVAL',
  logSize: 'LOG_SIZE',
  requestTimeoutMs: 'REQUEST_TIMEOUT_MS',
  viewChangeTimeoutMs: 'VIEW_CHANGE_TIMEOUT_MS',
  deadlineMs: 'DEADLINE_MS',
  inFlightMax: 'IN_FLIGHT_MAX',
  bodyBytesMax: 'BODY_BYTES_MAX',
  queueLengthMax: 'QUEUE_LENGTH_MAX',
  queueConcurrency: 'QUEUE_CONCURRENCY',
  queueAttempts: 'QUEUE_ATTEMPTS',
  resultsKeepS: 'RESULTS_KEEP_S',
  webhookSecret: 'WEBHOOK_SECRET',
  accessFile: 'ACCESS_FILE',
  requestsPerMinute: 'REQUESTS_PER_MINUTE',
  metricsAccess: 'METRICS_ACCESS',
  operatorKey: 'OPERATOR_KEY',
  checkDeterminism: 'CHECK_DETERMINISM',
  logLevel: 'LOG_LEVEL',
};

/**
 * Settings as given in code; then the environment, then defaults.
 * @throws {QuorateError} `invalid-setting`, naming the setting, its value and what it should be
 */
export function embeddedSettings(given: EmbeddedSettings): Settings {
  const names: Readonly<Record<string, SettingName>> = NAMES;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined) {
    throw new QuorateError(
      'invalid-setting',
      `there is no setting ${unknown}: there are ${Object.keys(NAMES).join(', ')}`,
    );
  }
  const flags: Flags = Object.fromEntries(
    Object.entries(given as Readonly<Record<string, string | number | boolean | undefined>>).map(([name, value]) => [
      names[name] ?? name,
      value === undefined ? undefined : String(value),
    ]),
  );
  const settings = readSettings(flags, processEnvironment());
  if (settings.redisUrl !== undefined) return settings;
  throw invalidSetting('REDIS_URL', '', 'the Redis that the whole cluster shares');
}
