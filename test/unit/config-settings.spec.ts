import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readJoinToken } from '../../src/config/join-token.js';
import { settingsEnvironment, unusualSettings } from '../../src/config/settings-environment.js';
import { readSettings, type Flags } from '../../src/config/settings.js';
import { QuorateError } from '../../src/errors.js';

function refusal(environment: Record<string, string>, flags: Flags = {}): QuorateError {
  try {
    readSettings(flags, environment);
  } catch (error) {
    if (error instanceof QuorateError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('readSettings', () => {
  it('has defaults for everything that a cluster on one machine needs', () => {
    expect(readSettings({}, {})).toEqual({
      redisUrl: undefined,
      logRedisUrl: undefined,
      queueRedisUrl: undefined,
      cluster: 'quorate',
      replicas: 4,
      replicaId: undefined,
      gatewayId: undefined,
      dataDir: resolve('.quorate'),
      port: 3000,
      host: '127.0.0.1',
      joinToken: undefined,
      joinTokenFile: undefined,
      batchSize: 512,
      checkpointInterval: 128,
      logSize: 256,
      requestTimeoutMs: 1000,
      viewChangeTimeoutMs: 2000,
      deadlineMs: 5000,
      inFlightMax: 1024,
      bodyBytesMax: 65_536,
      queueLengthMax: 10_000,
      queueConcurrency: 64,
      queueAttempts: 20,
      resultsKeepS: 86_400,
      webhookSecret: undefined,
      webhookHosts: [],
      accessFile: undefined,
      jwt: undefined,
      requestsPerMinute: 6000,
      corsOrigins: [],
      metricsAccess: 'open',
      operatorKey: undefined,
      checkDeterminism: undefined,
      logLevel: 'info',
      quorateKey: undefined,
      quorateUrl: 'http://127.0.0.1:3000',
      cacheDir: join(homedir(), '.cache', 'quorate'),
    });
  });

  it('takes flags before the environment, and the environment before defaults', () => {
    const environment = { PORT: '4000', CLUSTER: 'from-environment' };
    const settings = readSettings({ PORT: '5000' }, environment);
    expect([settings.port, settings.cluster, settings.replicas]).toEqual([5000, 'from-environment', 4]);
  });

  it('takes an empty text for one that was not given', () => {
    expect(readSettings({ PORT: '' }, { PORT: '', REDIS_URL: '' })).toEqual(readSettings({}, {}));
  });

  it('is frozen', () => {
    expect(Object.isFrozen(readSettings({}, {}))).toBe(true);
  });

  it.each(['redis://localhost:6379', 'rediss://user:secret@host:6380/2', 'unix:///tmp/redis.sock', '/tmp/redis.sock'])(
    'accepts %s as REDIS_URL',
    (url) => {
      const { redisUrl, logRedisUrl } = readSettings({}, { REDIS_URL: url });
      expect([redisUrl, logRedisUrl]).toEqual([url, url]);
    },
  );

  it('lets a replica keep its log in another Redis', () => {
    const { redisUrl, logRedisUrl } = readSettings({}, { REDIS_URL: 'redis://bus:1', LOG_REDIS_URL: 'redis://log:2' });
    expect([redisUrl, logRedisUrl]).toEqual(['redis://bus:1', 'redis://log:2']);
  });

  it.each([
    ['REDIS_URL', 'http://localhost:6379'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'unix://redis.sock'],
    ['LOG_REDIS_URL', 'redis://'],
    ['CLUSTER', 'a{b}'],
    ['CLUSTER', 'x'.repeat(33)],
    ['REPLICAS', '3'],
    ['REPLICAS', '65'],
    ['REPLICAS', '4.5'],
    ['REPLICAS', '0x8'],
    ['REPLICA_ID', '../replica'],
    ['GATEWAY_ID', '-x'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', 'http'],
    ['HOST', 'a b'],
    ['BATCH_SIZE', '0'],
    ['BATCH_SIZE', '1025'],
    ['CHECKPOINT_INTERVAL', '0'],
    ['LOG_SIZE', '1e3'],
    ['REQUEST_TIMEOUT_MS', '1'],
    ['VIEW_CHANGE_TIMEOUT_MS', 'soon'],
    ['DEADLINE_MS', '99999999999999999999'],
    ['IN_FLIGHT_MAX', '0'],
    ['BODY_BYTES_MAX', '1'],
    ['QUEUE_REDIS_URL', 'queue:6379'],
    ['QUEUE_LENGTH_MAX', '0'],
    ['QUEUE_CONCURRENCY', '1025'],
    ['QUEUE_ATTEMPTS', 'many'],
    ['RESULTS_KEEP_S', '-1'],
    ['WEBHOOK_HOSTS', 'https://hooks.example.com'],
    ['WEBHOOK_HOSTS', 'a.example,,b.example'],
    ['JWT_JWKS', 'http://issuer.example/jwks'],
    ['REQUESTS_PER_MINUTE', '0'],
    ['CORS_ORIGINS', 'https://app.example/path'],
    ['METRICS_ACCESS', 'nobody'],
    ['LOG_LEVEL', 'loud'],
    ['QUORATE_URL', 'localhost:3000'],
  ])('refuses %s=%s, and says what is wrong with what', (setting, value) => {
    const error = refusal({ [setting]: value });
    expect(error.code).toBe('invalid-setting');
    expect(error.details['setting']).toBe(setting);
    expect(error.message).toContain(`${setting} is "${value.slice(0, 200)}": it should be `);
  });

  it('says why three replicas are too few', () => {
    expect(refusal({ REPLICAS: '3' }).message).toBe(
      'REPLICAS is "3": it should be a whole number of replicas from 4 to 64 ' +
        '(n = 3f+1: with fewer than 4 not one faulty replica is tolerated)',
    );
  });

  it('refuses a log that is smaller than two checkpoint intervals', () => {
    const error = refusal({ CHECKPOINT_INTERVAL: '100', LOG_SIZE: '199' });
    expect(error.message).toBe('LOG_SIZE is "199": it should be at least twice CHECKPOINT_INTERVAL, which is 200 here');
    expect(readSettings({}, { CHECKPOINT_INTERVAL: '100', LOG_SIZE: '200' }).logSize).toBe(200);
  });

  it('never shows a join token', () => {
    const error = refusal({ JOIN_TOKEN: 'hush-hush' });
    expect(error.message).toContain('JOIN_TOKEN is a text of 9 characters');
    expect(JSON.stringify([error.message, error.details])).not.toContain('hush');
  });

  it('takes webhooks only with the hosts that they may go to', () => {
    const WEBHOOK_SECRET = 'x'.repeat(24);
    expect(refusal({ WEBHOOK_SECRET }).details['setting']).toBe('WEBHOOK_HOSTS');
    const { webhookHosts } = readSettings({}, { WEBHOOK_SECRET, WEBHOOK_HOSTS: 'Hooks.example, *.example.org:8443' });
    expect(webhookHosts).toEqual(['hooks.example', '*.example.org:8443']);
  });

  it.each([
    [{ JWT_ISSUER: 'me' }, 'JWT_JWKS'],
    [{ JWT_JWKS: 'https://issuer.example/jwks', JWT_AUDIENCE: 'us' }, 'JWT_ISSUER'],
    [{ JWT_JWKS: '/jwks.json', JWT_ISSUER: 'me' }, 'JWT_AUDIENCE'],
    [{ JWT_JWKS: '/jwks.json', JWT_SECRET: 'x'.repeat(32), JWT_ISSUER: 'me', JWT_AUDIENCE: 'us' }, 'JWT_SECRET'],
    [{ METRICS_ACCESS: 'operator' }, 'OPERATOR_KEY'],
  ])('refuses %j, which lacks or has too much', (environment, setting) => {
    expect(refusal(environment as Record<string, string>).details['setting']).toBe(setting);
  });

  it.each(['WEBHOOK_SECRET', 'OPERATOR_KEY', 'JWT_SECRET'])('never shows %s', (setting) => {
    const error = refusal({ [setting]: 'hush-hush' });
    expect(JSON.stringify([error.message, error.details])).not.toContain('hush');
  });

  it('never shows the password of a URL', () => {
    const error = refusal({ REDIS_URL: 'http://user:secret@host:6379' });
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret');
  });
});

describe('settingsEnvironment', () => {
  it('says the same to another process', () => {
    const jwt = { JWT_ISSUER: 'me', JWT_AUDIENCE: 'us', JWT_JWKS: '/jwks.json', CORS_ORIGINS: '*' };
    const secrets = { JOIN_TOKEN: 'x'.repeat(16), WEBHOOK_SECRET: 'y'.repeat(24), OPERATOR_KEY: 'z'.repeat(16) };
    const given = {
      PORT: '4321',
      REDIS_URL: '/tmp/redis.sock',
      LOG_SIZE: '512',
      WEBHOOK_HOSTS: 'a,b',
      ...secrets,
      ...jwt,
    };
    const settings = readSettings({}, given);
    expect(readSettings({}, settingsEnvironment(settings))).toEqual(settings);
  });

  it('leaves out of what is printed the defaults and the secrets', () => {
    const secrets = { JOIN_TOKEN: 'x'.repeat(16), OPERATOR_KEY: 'z'.repeat(16) };
    const given = { DATA_DIR: '/data', REDIS_URL: '/tmp/redis.sock', PORT: '3000', ...secrets };
    expect(unusualSettings(readSettings({}, given))).toEqual({ DATA_DIR: '/data', REDIS_URL: '/tmp/redis.sock' });
  });
});

describe('readJoinToken', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-token-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('makes one where there is none, for its owner alone, and keeps it', async () => {
    const settings = readSettings({}, { DATA_DIR: join(folder, 'data') });
    const token = await readJoinToken(settings);
    expect(token.length).toBeGreaterThanOrEqual(16);
    expect((await stat(join(folder, 'data', 'join-token'))).mode & 0o777).toBe(0o600);
    expect(await readJoinToken(settings)).toBe(token);
  });

  it('is one token when several processes make it at once', async () => {
    const settings = readSettings({}, { JOIN_TOKEN_FILE: join(folder, 'token') });
    const tokens = await Promise.all(Array.from({ length: 8 }, async () => await readJoinToken(settings)));
    expect(new Set(tokens).size).toBe(1);
    expect((await readFile(join(folder, 'token'), 'utf8')).trim()).toBe(tokens[0]);
  });

  it('takes JOIN_TOKEN before the file', async () => {
    const settings = readSettings({}, { JOIN_TOKEN: 'a token that is said', JOIN_TOKEN_FILE: join(folder, 'token') });
    expect(await readJoinToken(settings)).toBe('a token that is said');
  });

  it('refuses a file with no token in it, and does not show what is in it', async () => {
    await writeFile(join(folder, 'token'), 'too-short');
    const reading = readJoinToken(readSettings({}, { JOIN_TOKEN_FILE: join(folder, 'token') }));
    await expect(reading).rejects.toThrow(/JOIN_TOKEN_FILE is .* at least 16 characters/);
    await expect(reading).rejects.not.toThrow(/too-short/);
  });
});
