import { z } from 'zod';
import { namePattern } from '../crypto/genesis.js';

const NAME_EXPECTATION = '1 to 32 letters, digits, dots, underscores or hyphens, beginning with a letter or a digit';

/** One setting: how its text is read, and what to say when it cannot be. */
interface Definition<T> {
  readonly schema: z.ZodType<T, string>;
  /** Completes the sentence 'it should be …'. */
  readonly expected: string;
  /** Its value must not be printed. */
  readonly secret?: true;
}

function define<T>(expected: string, schema: z.ZodType<T, string>): Definition<T> {
  return { schema, expected };
}

function wholeNumber(minimum: number, maximum: number, unit = '', why = ''): Definition<number> {
  const schema = z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum);
  const range = `from ${String(minimum)} to ${String(maximum)}`;
  return define(`a whole number${unit === '' ? '' : ` of ${unit}`} ${range}${why === '' ? '' : ` (${why})`}`, schema);
}

const name = define(NAME_EXPECTATION, z.string().regex(namePattern));

const redisUrl = define(
  'redis://HOST:PORT, rediss://HOST:PORT, unix:///PATH or the absolute path of a Unix socket',
  z.string().refine(isRedisUrl),
);

function isRedisUrl(text: string): boolean {
  if (text.startsWith('/')) return true;
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.protocol === 'unix:') return url.hostname === '' && url.pathname.length > 1;
  return (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '';
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** Keys that came over plain HTTP would be whoever's is on the way; a loopback address is for trying things. */
function isKeySet(text: string): boolean {
  return !/^http:/i.test(text) || /^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(text);
}

const path = define('the path of a file', z.string());

/** Words with commas between them, each of this form. */
function list(form: RegExp): z.ZodType<readonly string[], string> {
  return z
    .string()
    .transform((text) => text.split(',').map((word) => word.trim()))
    .refine((words) => words.every((word) => form.test(word)));
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every setting there is, by the name of its environment variable. */
export const DEFINITIONS = {
  REDIS_URL: redisUrl,
  LOG_REDIS_URL: redisUrl,
  QUEUE_REDIS_URL: redisUrl,
  CLUSTER: name,
  REPLICAS: wholeNumber(4, 64, 'replicas', 'n = 3f+1: with fewer than 4 not one faulty replica is tolerated'),
  REPLICA_ID: name,
  GATEWAY_ID: name,
  DATA_DIR: define('the path of a folder', z.string()),
  PORT: wholeNumber(0, 65_535, '', '0 takes any that is free'),
  HOST: define('a host name or an IP address to listen on', z.string().regex(/^[^\s/]+$/)),
  JOIN_TOKEN: {
    ...define('at least 16 characters, without white space at its ends', z.string().regex(/^\S.{14,}\S$/)),
    secret: true,
  },
  JOIN_TOKEN_FILE: path,
  BATCH_SIZE: wholeNumber(1, 1024, 'operations'),
  CHECKPOINT_INTERVAL: wholeNumber(1, 65_536, 'sequence numbers'),
  LOG_SIZE: wholeNumber(2, 131_072, 'sequence numbers'),
  REQUEST_TIMEOUT_MS: wholeNumber(10, 600_000, 'milliseconds'),
  VIEW_CHANGE_TIMEOUT_MS: wholeNumber(10, 600_000, 'milliseconds'),
  DEADLINE_MS: wholeNumber(10, 600_000, 'milliseconds'),
  IN_FLIGHT_MAX: wholeNumber(1, 65_536, 'requests'),
  BODY_BYTES_MAX: wholeNumber(64, 16_777_216, 'bytes'),
  QUEUE_LENGTH_MAX: wholeNumber(1, 10_000_000, 'requests'),
  QUEUE_CONCURRENCY: wholeNumber(1, 1024, 'requests'),
  QUEUE_ATTEMPTS: wholeNumber(1, 1000, 'attempts'),
  RESULTS_KEEP_S: wholeNumber(1, 31_536_000, 'seconds'),
  WEBHOOK_SECRET: { ...define('at least 24 characters', z.string().min(24)), secret: true },
  WEBHOOK_HOSTS: define(
    'host names with commas between them, each with a port or without, such as hooks.example.com,*.example.org:8443',
    list(/^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i),
  ),
  ACCESS_FILE: path,
  JWT_ISSUER: define('the issuer of the tokens that are taken', z.string().max(1024)),
  JWT_AUDIENCE: define('whom the tokens that are taken are for', z.string().max(1024)),
  JWT_JWKS: define(
    "the https:// URL, or the path of a file, of the issuer's JSON Web Key Set",
    z.string().refine(isKeySet),
  ),
  JWT_SECRET: { ...define('at least 32 characters', z.string().min(32)), secret: true },
  REQUESTS_PER_MINUTE: wholeNumber(1, 10_000_000, 'requests'),
  CORS_ORIGINS: define(
    '* or origins with commas between them, such as https://app.example.com',
    list(/^(\*|https?:\/\/[a-z0-9.-]+(:\d{1,5})?)$/),
  ),
  METRICS_ACCESS: define('open or operator', z.enum(['open', 'operator'])),
  OPERATOR_KEY: {
    ...define('at least 16 printable ASCII characters, without white space', z.string().regex(/^[\x21-\x7e]{16,256}$/)),
    secret: true,
  },
  CHECK_DETERMINISM: define(
    'true or false',
    z.enum(['true', 'false']).transform((word) => word === 'true'),
  ),
  LOG_LEVEL: define(`one of ${LOG_LEVELS.join(', ')}`, z.enum(LOG_LEVELS)),
  QUORATE_KEY: { ...define('an API key or a token', z.string().regex(/^\S{1,8192}$/)), secret: true },
  QUORATE_URL: define('http://HOST:PORT or https://HOST:PORT', z.string().refine(isHttpUrl)),
} satisfies Record<string, Definition<unknown>>;

export type SettingName = keyof typeof DEFINITIONS;

/** What holds where neither a flag nor the environment says otherwise. A setting that is not here has no default. */
export const DEFAULTS = {
  CLUSTER: 'quorate',
  REPLICAS: '4',
  DATA_DIR: '.quorate',
  PORT: '3000',
  HOST: '127.0.0.1',
  BATCH_SIZE: '512',
  CHECKPOINT_INTERVAL: '128',
  LOG_SIZE: '256',
  REQUEST_TIMEOUT_MS: '1000',
  VIEW_CHANGE_TIMEOUT_MS: '2000',
  DEADLINE_MS: '5000',
  IN_FLIGHT_MAX: '1024',
  BODY_BYTES_MAX: '65536',
  QUEUE_LENGTH_MAX: '10000',
  QUEUE_CONCURRENCY: '64',
  QUEUE_ATTEMPTS: '20',
  RESULTS_KEEP_S: '86400',
  REQUESTS_PER_MINUTE: '6000',
  METRICS_ACCESS: 'open',
  LOG_LEVEL: 'info',
  QUORATE_URL: 'http://127.0.0.1:3000',
} as const satisfies Partial<Record<SettingName, string>>;
