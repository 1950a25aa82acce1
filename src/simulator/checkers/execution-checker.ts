import { limits } from '../../pbft/configuration.js';
import type { Request } from '../../pbft/messages.js';
import type { SequenceNumber } from '../../pbft/types.js';
import type { Violations } from './violations.js';

/** One executed request, as every correct replica must have executed it. */
export interface ExecutedRequest {
  readonly client: string;
  readonly timestamp: number;
  readonly digest: string;
  readonly resultDigest: string;
  readonly operation: Uint8Array;
  readonly time: number;
}

/** What one life of a replica has executed. */
export interface Execution {
  /** Which life this is. */
  readonly who: string;
  /** Everything up to here is executed, and was compared. */
  executed: number;
  done: number;
  /** What was executed above, by sequence number. */
  readonly above: Map<number, ExecutedRequest[]>;
}

/**
 * Agreement and total order: all correct replicas, in all of their lives, execute the same requests with the same results at
 * the same sequence numbers. Validity: only what some client has made, each client's in its order within a batch, at a time that never
 * goes back and that a clock has shown. Exactly once: no request at two places.
 */
export class ExecutionChecker {
  /** What was executed where, by the first correct replica that got there. */
  readonly order = new Map<number, readonly ExecutedRequest[]>();
  /** The highest sequence number that any correct replica has executed. */
  last = 0;
  /** What clocks of correct replicas have shown, milliseconds since 1970. */
  private readonly clocks = { earliest: Infinity, latest: -Infinity };
  /** The agreed time up to which anything was executed. */
  private latest = 0;
  private readonly places = new Map<string, number>();

  constructor(
    private readonly violations: Violations,
    /** Whether a client has made this request. */
    private readonly isMade: (requestDigest: string) => boolean,
  ) {}

  /** The clock of a correct replica shows this. */
  onClock(time: number): void {
    this.clocks.earliest = Math.min(this.clocks.earliest, time);
    this.clocks.latest = Math.max(this.clocks.latest, time);
  }

  begin(who: string): Execution {
    return { who, executed: 0, done: 0, above: new Map() };
  }

  onExecuted(
    execution: Execution,
    { client, timestamp, digest, operation }: Request,
    { sequence, time }: { readonly sequence: SequenceNumber; readonly time: number },
    resultDigest: string,
  ): void {
    if (sequence <= execution.done) {
      this.violations.add('agreement', `${execution.who} executes ${sequence} after ${execution.done}`);
    }
    const requests = execution.above.get(sequence) ?? [];
    execution.above.set(sequence, requests);
    requests.push({ client, timestamp, digest, resultDigest, operation, time });
  }

  /**
   * What the life has executed up to `last` counts from now on: its own words on that are out, or its replies. Before, nothing has
   * left it: a COMMIT that dies with its process was never given, and what was executed upon it is forgotten with it.
   */
  finish(execution: Execution, upTo: number): void {
    const last = Math.min(upTo, execution.executed);
    for (let place = execution.done + 1; place <= last; place++) {
      this.compare(execution.who, place, execution.above.get(place) ?? []);
      execution.above.delete(place);
    }
    execution.done = Math.max(execution.done, last);
  }

  /** The life took over the state after `last` from others, or out of its store. */
  skip(execution: Execution, last: number): void {
    execution.executed = last;
    execution.done = last;
    execution.above.clear();
  }

  private compare(who: string, place: number, requests: readonly ExecutedRequest[]): void {
    const known = this.order.get(place);
    if (known === undefined) {
      this.establish(who, place, requests);
      return;
    }
    const isSame =
      known.length === requests.length &&
      requests.every(({ digest, resultDigest, time }, index) => {
        const other = known[index];
        return other?.digest === digest && other.resultDigest === resultDigest && other.time === time;
      });
    if (isSame) return;
    this.violations.add('agreement', `${who} executes ${textOf(requests)} at ${place}, others ${textOf(known)}`);
  }

  private establish(who: string, place: number, requests: readonly ExecutedRequest[]): void {
    this.order.set(place, requests);
    if (place > this.last) {
      this.last = place;
      this.checkTime(who, place, requests);
    }
    const newest = new Map<string, number>();
    for (const { client, timestamp, digest } of requests) {
      if (timestamp <= (newest.get(client) ?? -1)) {
        this.violations.add('validity', `${who} executes ${client}#${timestamp} at ${place} after a later one there`);
      }
      newest.set(client, timestamp);
      if (!this.isMade(digest)) {
        this.violations.add('validity', `${who} executes ${client}#${timestamp} at ${place}, which nobody has made`);
      }
      const name = `${client}\n${timestamp}`;
      const before = this.places.get(name);
      if (before !== undefined) {
        this.violations.add('exactly-once', `${client}#${timestamp} is executed at ${before} and at ${place}`);
      }
      this.places.set(name, place);
    }
  }

  /** Agreed time never goes back, and some correct replica's clock was near it (rule 11). */
  private checkTime(who: string, place: number, [first]: readonly ExecutedRequest[]): void {
    if (first === undefined) return;
    const { time } = first;
    if (time < this.latest) {
      this.violations.add('validity', `${who} executes ${place} at ${time}, what came before at ${this.latest}`);
    }
    this.latest = time;
    const { earliest, latest } = this.clocks;
    if (time < earliest - limits.clockToleranceMs || time > latest + limits.clockToleranceMs) {
      this.violations.add(
        'validity',
        `${who} executes ${place} at ${time}, clocks have shown ${earliest} to ${latest}`,
      );
    }
  }
}

function textOf(requests: readonly ExecutedRequest[]): string {
  const names = requests.map(({ client, timestamp, digest, resultDigest }) => {
    return `${client.slice(0, 12)}#${timestamp}:${digest.slice(0, 6)}→${resultDigest.slice(0, 6)}`;
  });
  return `[${names.join(', ')}]`;
}
