import { styleText } from 'node:util';
import type { Command } from 'commander';
import { invalidSetting, readSettings, type Settings } from '../config/settings.js';
import { DEFAULTS, type SettingName } from '../config/setting-definitions.js';

interface Output {
  write(text: string): unknown;
}

/** What a command may see of the process that it runs in; tests bring their own. */
export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whether `stdout` shows colours: a terminal that has them, and NO_COLOR is not set. */
  readonly hasColors: boolean;
  /** Which of the outputs somebody looks at: what is redrawn, and progress, is for terminals alone. */
  readonly terminals: { readonly stdout: boolean; readonly stderr: boolean };
  /** Aborted when nobody reads `stdout` any more (`quorate watch | head -3`): what runs on has no more reason to. */
  readonly unread: AbortSignal;
  /** Aborted by Ctrl-C, from the first call on, which until then ends the process: for what runs until somebody ends it. */
  readonly interrupted: () => AbortSignal;
  /** All of standard input. */
  readonly readStdin: () => Promise<string>;
  /** What the process is to exit with when the command has returned: 0 unless the command says otherwise. */
  exitCode: number;
}

/** Did what it was asked, but the answer is no: exit 1, and the code and the text on standard error. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';

  /** @param code stable: one of docs/cli.md, or that of the gateway's problem */
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Was asked something that makes no sense: exit 2, and `invalid-usage`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function print(context: Context, text: string): void {
  context.stdout.write(`${text}\n`);
}

/** Text that another process sent: it must not move a terminal's cursor. */
export function harmless(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** @throws {UsageError} unless it is a whole number within the bounds */
export function wholeNumber(flag: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const bounds = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${String(most)}`;
  throw new UsageError(`${flag} ${text}: it should be a whole number from ${String(least)} on${bounds}`);
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow';

export function paint(context: Context, style: Style, text: string): string {
  return context.hasColors ? styleText(style, text) : text;
}

/** One flag that stands for a setting. */
interface SettingFlag {
  readonly flags: string;
  readonly description: string;
  readonly setting: SettingName;
}

/** Flags for settings, by what commander calls the option. Every command takes those that mean something to it. */
const SETTING_FLAGS = {
  replicas: { flags: '--replicas <n>', description: 'how many replicas, 4 to 64', setting: 'REPLICAS' },
  port: { flags: '--port <port>', description: 'HTTP port of the gateway', setting: 'PORT' },
  host: { flags: '--host <address>', description: 'address that the gateway listens on', setting: 'HOST' },
  cluster: { flags: '--cluster <name>', description: 'name in every channel and key', setting: 'CLUSTER' },
  redisUrl: {
    flags: '--redis-url <url>',
    description: 'the bus: redis://, rediss:// or a Unix socket',
    setting: 'REDIS_URL',
  },
  dataDir: { flags: '--data-dir <folder>', description: 'keys, logs, embedded Redis', setting: 'DATA_DIR' },
  logLevel: {
    flags: '--log-level <level>',
    description: 'fatal, error, warn, info, debug or trace',
    setting: 'LOG_LEVEL',
  },
  checkDeterminism: {
    flags: '--check-determinism <boolean>',
    description: 'true: execute every operation twice, and report what is not deterministic',
    setting: 'CHECK_DETERMINISM',
  },
  url: { flags: '--url <url>', description: 'the gateway to talk to', setting: 'QUORATE_URL' },
} as const satisfies Record<string, SettingFlag>;

export function addSettingFlags(command: Command, ...names: readonly (keyof typeof SETTING_FLAGS)[]): Command {
  for (const name of names) {
    const { flags, description, setting }: SettingFlag = SETTING_FLAGS[name];
    const byDefault = (DEFAULTS as Partial<Record<SettingName, string>>)[setting];
    command.option(flags, `${description} (${setting}${byDefault === undefined ? '' : `, else ${byDefault}`})`);
  }
  return command;
}

export type SettingOptions = Readonly<Partial<Record<keyof typeof SETTING_FLAGS, string>>>;

/** @throws {QuorateError} `invalid-setting` */
export function settingsFrom(
  context: Context,
  options: SettingOptions,
  more: Readonly<Partial<Record<SettingName, string | undefined>>> = {},
): Settings {
  const flags: Partial<Record<SettingName, string | undefined>> = { ...more };
  for (const [option, { setting }] of Object.entries(SETTING_FLAGS)) {
    flags[setting] ??= options[option as keyof typeof SETTING_FLAGS];
  }
  return readSettings(flags, context.environment);
}

/**
 * For a replica and a gateway, which start no Redis: it would be theirs alone.
 * @throws {QuorateError} `invalid-setting`
 */
export function requireRedis(settings: Settings): Settings {
  if (settings.redisUrl !== undefined) return settings;
  throw invalidSetting('REDIS_URL', '', 'the Redis that the whole cluster shares; `quorate up` starts one by itself');
}
