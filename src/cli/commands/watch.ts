import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Settings } from '../../config/settings.js';
import {
  addSettingFlags,
  CommandFailed,
  paint,
  print,
  settingsFrom,
  UsageError,
  wholeNumber,
  type Context,
  type SettingOptions,
} from '../context.js';
import { ask, understood } from '../gateway-client.js';
import { Observer, type ClusterEvent, type Observation } from '../observer.js';
import { describeStatus, statusSchema } from '../status-view.js';

interface Options extends SettingOptions {
  readonly interval: string;
  readonly count?: string;
  readonly json?: true;
}

const INTERVAL_SECONDS_MIN = 0.1;
const INTERVAL_SECONDS_MAX = 3600;
/** Events that stay in sight on a terminal. */
const EVENTS_SHOWN_MAX = 10;
/** To the upper left corner. Each line then clears what is right of it, and the last what is below it: nothing flickers. */
const HOME = '\u001b[H';
const CLEAR_SCREEN = '\u001b[2J';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export function addWatch(program: Command, context: Context): void {
  const command = program
    .command('watch')
    .description('the cluster, live: view, primary, each replica, throughput, what happens; until Ctrl-C')
    .option('--interval <seconds>', 'from one look to the next, 0.1 to 3600', '1')
    .option('--count <n>', 'end after so many looks')
    .option('--json', 'print a line of JSON for each look');
  addSettingFlags(command, 'url')
    .addHelpText(
      'after',
      `
On a terminal it is drawn anew with each look; into a pipe or a file go lines. A gateway that stops answering is asked on.

Examples:
  $ quorate watch
  $ quorate watch --interval 5 --url http://127.0.0.1:8080
  $ quorate watch --count 1 --json`,
    )
    .action(async (options: Options) => {
      await watch(context, settingsFrom(context, options), options);
    });
}

async function watch(context: Context, settings: Settings, options: Options): Promise<void> {
  const intervalMs = intervalOf(options.interval) * 1000;
  const count = options.count === undefined ? Infinity : wholeNumber('--count', options.count, 1);
  const show = options.json === true ? jsonLines(context) : context.terminals.stdout ? screen(context) : lines(context);
  const observer = new Observer();
  for (let looks = 0; looks < count; looks++) {
    if (looks > 0) await delay(intervalMs, undefined, { signal: context.unread }).catch(() => undefined);
    if (context.unread.aborted) return;
    show(await look(settings, observer, looks === 0));
  }
}

/** @throws {CommandFailed} at the first look: whoever mistyped the address wants to know, not to wait */
async function look(settings: Settings, observer: Observer, isFirst: boolean): Promise<Observation> {
  try {
    const { body } = await ask(settings, '/v1/status');
    return observer.see(understood(statusSchema, body), Date.now());
  } catch (error) {
    if (isFirst || !(error instanceof CommandFailed)) throw error;
    return observer.miss(error.message, Date.now());
  }
}

/** @throws {UsageError} */
function intervalOf(text: string): number {
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  if (seconds >= INTERVAL_SECONDS_MIN && seconds <= INTERVAL_SECONDS_MAX) return seconds;
  throw new UsageError(
    `--interval ${text}: it should be a number of seconds from ${String(INTERVAL_SECONDS_MIN)} to ${String(INTERVAL_SECONDS_MAX)}`,
  );
}

type Show = (observation: Observation) => void;

function jsonLines(context: Context): Show {
  return (observation) => {
    print(context, JSON.stringify(observation));
  };
}

/** One line for each look, and one for each event. */
function lines(context: Context): Show {
  return (observation) => {
    for (const event of observation.events) print(context, eventLine(event));
    const { status, time } = observation;
    if (status === null) return;
    const { view, primary, replicas } = status;
    const voting = replicas.filter((replica) => replica.connected && replica.voting !== false).length;
    print(
      context,
      `${time} view ${String(view)} primary ${primary} voting ${String(voting)}/${String(replicas.length)} ${progressOf(observation)}`,
    );
  };
}

/** The whole picture, drawn over the last one. */
function screen(context: Context): Show {
  const events: ClusterEvent[] = [];
  let picture = '';
  let isCleared = false;
  return (observation) => {
    const { status, time } = observation;
    events.push(...observation.events);
    events.splice(0, events.length - EVENTS_SHOWN_MAX);
    if (status !== null) picture = `${describeStatus(context, status)}\n\n${progressOf(observation)}`;
    const state =
      status === null ? paint(context, 'red', `${time}: the gateway does not answer; this was before`) : time;
    const text = [paint(context, 'dim', state), picture, '', ...events.map(eventLine)].join('\n');
    context.stdout.write(
      `${isCleared ? '' : CLEAR_SCREEN}${HOME}${text.replaceAll('\n', `${CLEAR_LINE_END}\n`)}${CLEAR_LINE_END}\n${CLEAR_BELOW}`,
    );
    isCleared = true;
  };
}

function progressOf({ executed, batchesPerSecond }: Observation): string {
  return `executed ${executed === null ? '-' : String(executed)}, ${batchesPerSecond === null ? '-' : batchesPerSecond.toFixed(1)} batches/s`;
}

function eventLine({ time, kind, text }: ClusterEvent): string {
  return `${time} ${kind}: ${text}`;
}
