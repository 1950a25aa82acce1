import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Settings } from '../../config/settings.js';
import {
  addSettingFlags,
  CommandFailed,
  harmless,
  paint,
  print,
  settingsFrom,
  UsageError,
  wholeNumber,
  type Context,
  type SettingOptions,
} from '../context.js';
import { ask, understood } from '../gateway-client.js';
import type { ClusterEvent as StreamedEvent } from '../../sdk/client.js';
import { Observer, type ClusterEvent, type Observation } from '../observer.js';
import { describeStatus, statusSchema } from '../status-view.js';

interface Options extends SettingOptions {
  readonly interval: string;
  readonly count?: string;
  readonly events?: true;
  readonly after?: string;
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
    .option('--count <n>', 'end after so many looks, or events')
    .option(
      '--events',
      'print each event as it comes instead: batches that are agreed, view changes, checkpoints, replicas',
    )
    .option('--after <sequence>', 'with --events: begin after this sequence number; else with what happens from now on')
    .option('--json', 'print a line of JSON for each look, or event');
  addSettingFlags(command, 'url')
    .addHelpText(
      'after',
      `
On a terminal it is drawn anew with each look; into a pipe or a file go lines. A gateway that stops answering is asked on. Ctrl-C
ends it, which is no error. Events come over one connection, without asking again and again, each batch once and in order.

Examples:
  $ quorate watch
  $ quorate watch --interval 5 --url http://127.0.0.1:8080
  $ quorate watch --count 1 --json
  $ quorate watch --events --json | jq .type`,
    )
    .action(async (options: Options) => {
      const settings = settingsFrom(context, options);
      const ended = AbortSignal.any([context.unread, context.interrupted()]);
      const count = options.count === undefined ? Infinity : wholeNumber('--count', options.count, 1);
      if (options.events === true) await followEvents(context, settings, { ...options, count, ended });
      else await watch(context, settings, { ...options, count, ended });
    });
}

/** How long, however it ends. */
interface Extent {
  readonly count: number;
  readonly ended: AbortSignal;
}

async function watch(
  context: Context,
  settings: Settings,
  { count, ended, ...options }: Pick<Options, 'interval' | 'after' | 'json'> & Extent,
): Promise<void> {
  if (options.after !== undefined) throw new UsageError('--after is for --events');
  const intervalMs = intervalOf(options.interval) * 1000;
  const show = options.json === true ? jsonLines(context) : context.terminals.stdout ? screen(context) : lines(context);
  const observer = new Observer();
  for (let looks = 0; looks < count; looks++) {
    if (looks > 0) await delay(intervalMs, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return;
    const seen = await look(settings, observer, looks === 0, ended);
    if (seen !== undefined) show(seen);
  }
}

/**
 * A line for each event. The first connection must stand: whoever mistyped the address wants to know; later ones are made anew.
 * @throws {CommandFailed} as `ask`; {QuorateError} `log-collected`, `invalid-certificate`
 */
async function followEvents(
  context: Context,
  settings: Settings,
  { after, json, count, ended }: Pick<Options, 'after' | 'json'> & Extent,
): Promise<void> {
  const place = after === undefined ? undefined : wholeNumber('--after', after, 0);
  const { body } = await ask(settings, '/v1/membership');
  const { connectByHttp } = await import('../../sdk/http-client.js');
  // Whom to believe is the gateway's word here, as in all that this command shows.
  const cluster = await connectByHttp({
    url: settings.quorateUrl,
    apiKey: settings.quorateKey,
    membership: JSON.stringify(body),
  });
  let left = count;
  for await (const event of cluster.events({ after: place, signal: ended })) {
    print(context, json === true ? JSON.stringify(event) : streamedLine(event));
    left -= 1;
    if (left === 0 || ended.aborted) break;
  }
  await cluster.close();
}

function streamedLine({ type, id, data }: StreamedEvent): string {
  const { certificate: _c, batch: _b, requests, ...facts } = data as Readonly<Record<string, unknown>>;
  const asked = Array.isArray(requests) ? [`${String(requests.length)} requests`] : [];
  const said = Object.entries(facts)
    .filter(([name]) => name !== 'sequence' || id === undefined)
    .map(([name, value]) => `${name} ${harmless(typeof value === 'string' ? value : JSON.stringify(value))}`);
  return [harmless(type), ...(id === undefined ? [] : [String(id)]), ...asked, ...said].join(' ');
}

/**
 * @returns nothing when it was ended meanwhile
 * @throws {CommandFailed} at the first look: whoever mistyped the address wants to know, not to wait
 */
async function look(
  settings: Settings,
  observer: Observer,
  isFirst: boolean,
  ended: AbortSignal,
): Promise<Observation | undefined> {
  try {
    const { body } = await ask(settings, '/v1/status', { signal: ended });
    return observer.see(understood(statusSchema, body), Date.now());
  } catch (error) {
    if (ended.aborted) return undefined;
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
