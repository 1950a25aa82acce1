import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import type { ClusterEvent, EventsOptions } from './client.js';
import { asFailure, type Http } from './http.js';
import type { ReceiptChecker } from './receipts.js';

/** Characters of one event at most: more than the largest batch with its certificate has. */
const eventCharactersMax = 32 * 1024 * 1024;
/** The gateway writes at least every 15 s: who hears nothing for this long asks anew, milliseconds. */
const silenceMs = 45_000;
const backoffBaseMs = 250;
const backoffMaxMs = 10_000;

/** @throws {QuorateError} `invalid-request` */
export function checkAfter(after: number | undefined): void {
  if (after === undefined || (Number.isSafeInteger(after) && after >= 0)) return;
  throw new QuorateError('invalid-request', 'after is a sequence number, from 0 to 2^53−1');
}

/** Follows `GET /v1/events`, over as many connections as it takes; each batch once, in order, and verified.
 * @throws {QuorateError} `log-collected`, `invalid-certificate`
 */
export async function* followEvents(
  http: Http,
  receipts: ReceiptChecker,
  { after, signal }: EventsOptions,
  closed: AbortSignal,
): AsyncGenerator<ClusterEvent, void, undefined> {
  const ended = signal === undefined ? closed : AbortSignal.any([closed, signal]);
  const isOver = (): boolean => ended.aborted;
  let last = after;
  let failures = 0;
  while (!isOver()) {
    try {
      for await (const event of oneConnection(http, last, ended)) {
        failures = 0;
        if (event.id !== undefined) {
          // The gateway is not trusted to resume where it was asked to, nor to leave nothing out.
          if (last !== undefined && event.id <= last) continue;
          if (last !== undefined && event.id > last + 1) throw gapBetween(last, event.id);
        }
        if (event.type === 'committed') receipts.checkBatch(event.data, event.id);
        last = event.id ?? last;
        yield event;
      }
    } catch (error) {
      const failure = asFailure(error);
      if (!isOver() && !failure.isPassing) throw failure.error;
    }
    failures += 1;
    const backoffMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
    await delay(backoffMs, undefined, { signal: ended }).catch(() => undefined);
  }
}

async function* oneConnection(http: Http, last: number | undefined, ended: AbortSignal): AsyncGenerator<ClusterEvent> {
  const silence = new AbortController();
  const fallSilent = (): void => {
    silence.abort(new Error(`nothing was heard for ${String(silenceMs)} ms`));
  };
  const timer = setTimeout(fallSilent, silenceMs);
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (last !== undefined) headers['last-event-id'] = String(last);
    const response = await http.open('/v1/events', headers, AbortSignal.any([ended, silence.signal]));
    const arrived: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => arrived.push(event), maxBufferSize: eventCharactersMax });
    const utf8 = new TextDecoder();
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      timer.refresh();
      parser.feed(utf8.decode(chunk, { stream: true }));
      for (const message of arrived.splice(0)) yield eventOf(message);
    }
  } finally {
    clearTimeout(timer);
    silence.abort(); // the consumer may have left in the middle
  }
}

function gapBetween(last: number, next: number): QuorateError {
  const text = `the gateway left out what was agreed after ${String(last)}: it went on with ${String(next)}`;
  return new QuorateError('invalid-certificate', text, { sequence: last + 1 });
}

/** @throws {QuorateError} `internal` for what no gateway sends */
function eventOf({ event, id, data }: EventSourceMessage): ClusterEvent {
  try {
    const place = id === undefined || id === '' ? undefined : Number(id);
    if (place !== undefined && !Number.isSafeInteger(place)) throw new TypeError(`${String(id)} is no sequence number`);
    return { type: event ?? 'message', id: place, data: JSON.parse(data) as Json };
  } catch (error) {
    throw new QuorateError('internal', 'the gateway sent an event that is none', {}, { cause: error });
  }
}
