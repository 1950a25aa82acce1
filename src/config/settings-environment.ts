import { DEFAULTS, DEFINITIONS, type SettingName } from './setting-definitions.js';
import type { Settings } from './settings.js';

type SettingTexts = Partial<Record<SettingName, string>>;

/** Settings as the environment variables that another process would read them from, but for who it is. */
export function settingsEnvironment(settings: Settings): SettingTexts {
  return withoutUndefined({
    REDIS_URL: settings.redisUrl,
    LOG_REDIS_URL: settings.logRedisUrl,
    QUEUE_REDIS_URL: settings.queueRedisUrl,
    CLUSTER: settings.cluster,
    REPLICAS: settings.replicas,
    DATA_DIR: settings.dataDir,
    JOIN_TOKEN: settings.joinToken,
    JOIN_TOKEN_FILE: settings.joinTokenFile,
    PORT: settings.port,
    HOST: settings.host,
    BATCH_SIZE: settings.batchSize,
    CHECKPOINT_INTERVAL: settings.checkpointInterval,
    LOG_SIZE: settings.logSize,
    REQUEST_TIMEOUT_MS: settings.requestTimeoutMs,
    VIEW_CHANGE_TIMEOUT_MS: settings.viewChangeTimeoutMs,
    DEADLINE_MS: settings.deadlineMs,
    IN_FLIGHT_MAX: settings.inFlightMax,
    BODY_BYTES_MAX: settings.bodyBytesMax,
    QUEUE_LENGTH_MAX: settings.queueLengthMax,
    QUEUE_CONCURRENCY: settings.queueConcurrency,
    QUEUE_ATTEMPTS: settings.queueAttempts,
    RESULTS_KEEP_S: settings.resultsKeepS,
    WEBHOOK_SECRET: settings.webhookSecret,
    WEBHOOK_HOSTS: listed(settings.webhookHosts),
    ACCESS_FILE: settings.accessFile,
    JWT_ISSUER: settings.jwt?.issuer,
    JWT_AUDIENCE: settings.jwt?.audience,
    JWT_JWKS: settings.jwt?.jwks,
    JWT_SECRET: settings.jwt?.secret,
    REQUESTS_PER_MINUTE: settings.requestsPerMinute,
    CORS_ORIGINS: listed(settings.corsOrigins),
    METRICS_ACCESS: settings.metricsAccess,
    OPERATOR_KEY: settings.operatorKey,
    CHECK_DETERMINISM: settings.checkDeterminism,
    LOG_LEVEL: settings.logLevel,
  });
}

/** What of that must be said, because it differs from its default. Secrets are left out: this gets printed. */
export function unusualSettings(settings: Settings): SettingTexts {
  const texts = settingsEnvironment(settings);
  const { REDIS_URL: bus } = texts;
  const defaults: SettingTexts = { ...DEFAULTS, ...withoutUndefined({ LOG_REDIS_URL: bus, QUEUE_REDIS_URL: bus }) };
  const unusual = (Object.entries(texts) as [SettingName, string][]).filter(
    ([name, value]) => !('secret' in DEFINITIONS[name]) && value !== defaults[name],
  );
  return Object.fromEntries(unusual);
}

/** How a list is written; an empty one is not written at all. */
function listed(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : words.join(',');
}

function withoutUndefined(values: Partial<Record<SettingName, string | number | boolean | undefined>>): SettingTexts {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}
