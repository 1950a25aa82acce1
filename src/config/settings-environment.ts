import { DEFAULTS, type SettingName } from './setting-definitions.js';
import type { Settings } from './settings.js';

type SettingTexts = Partial<Record<SettingName, string>>;

/** Settings as the environment variables that another process would read them from, but for who it is. */
export function settingsEnvironment(settings: Settings): SettingTexts {
  return withoutUndefined({
    REDIS_URL: settings.redisUrl,
    LOG_REDIS_URL: settings.logRedisUrl,
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
    LOG_LEVEL: settings.logLevel,
  });
}

/** What of that must be said, because it differs from its default. The join token is left out: this gets printed. */
export function unusualSettings(settings: Settings): SettingTexts {
  const { JOIN_TOKEN: _secret, LOG_REDIS_URL: logRedisUrl, ...texts } = settingsEnvironment(settings);
  const defaults: SettingTexts = DEFAULTS;
  const all = { ...texts, LOG_REDIS_URL: logRedisUrl === texts.REDIS_URL ? undefined : logRedisUrl };
  return withoutUndefined(
    Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== defaults[name as SettingName])),
  );
}

function withoutUndefined(values: Partial<Record<SettingName, string | number | undefined>>): SettingTexts {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}
