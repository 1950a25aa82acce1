import type { FaultKind } from './fault-kinds.js';
import { tickMs } from '../replica/replica-node.js';
import type { Delivery } from './network.js';
import type { Profile } from './profile.js';
import type { Random } from './random.js';
import type { Tally } from './tally.js';

/** The network's own latency, milliseconds. */
const latencyMs = { least: 0.2, spread: 1.5 };

/** In so many of the runs that may have it the network stays slow for good. */
const lastingShare = 0.15;

/** What becomes of messages on their way. */
export class Weather {
  /** The faults have stopped: everything arrives soon and in order. */
  isCalm = false;
  /** From whom nothing reaches whom. */
  private readonly blocked = new Set<string>();
  private readonly slow: number;
  /** What every message may take besides, even when the faults have stopped. */
  readonly lastingMs: number;
  private readonly rates: {
    readonly loss: number;
    readonly duplication: number;
    readonly delay: number;
    readonly reordering: number;
  };

  constructor(
    private readonly profile: Profile,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {
    const rate = (kind: FaultKind, most: number): number =>
      profile.faults.has(kind) ? random.next() * most : 0 * random.next();
    this.rates = {
      loss: rate('loss', 0.15),
      duplication: rate('duplication', 0.2),
      delay: rate('delay', 0.2),
      reordering: rate('reordering', 0.5),
    };
    this.slow = random.pick([20, 60, 200, 600]);
    // The hops of a request together take longer than a time-out, which must grow before anything is agreed.
    const hop = profile.requestTimeoutTicks * tickMs * (0.7 + 0.5 * random.next());
    const isSlow = random.chance(lastingShare) && profile.faults.has('lasting-delay');
    this.lastingMs = isSlow ? hop : 0;
    if (isSlow) tally.add('lasting-delay');
  }

  fate({ from, to }: Delivery): readonly number[] {
    const { random, rates, tally } = this;
    const delay = latencyMs.least + random.next() * latencyMs.spread * 0.1;
    if (this.isCalm) return [delay + random.next() * this.lastingMs];
    if (this.blocked.size > 0 && this.blocked.has(`${from}>${to}`)) return nothing;
    if (rates.loss > 0 && random.chance(rates.loss)) {
      tally.add('loss');
      return nothing;
    }
    let arrival = delay;
    if (rates.reordering > 0 && random.chance(rates.reordering)) {
      tally.add('reordering');
      arrival += random.next() * latencyMs.spread * 4;
    }
    if (rates.delay > 0 && random.chance(rates.delay)) {
      tally.add('delay');
      arrival += random.next() * this.slow;
    }
    if (rates.duplication === 0 || !random.chance(rates.duplication)) return [arrival];
    tally.add('duplication');
    return [arrival, arrival + random.next() * this.slow];
  }

  /** Cuts the processes of `names` into two parts: neither hears the other, or only one of them the other. */
  divide(names: readonly string[], isOneWay: boolean): string {
    const part = names.filter(() => this.random.chance(0.4));
    const rest = names.filter((name) => !part.includes(name));
    this.blocked.clear();
    for (const a of part) {
      for (const b of rest) {
        this.blocked.add(`${a}>${b}`);
        if (!isOneWay) this.blocked.add(`${b}>${a}`);
      }
    }
    this.tally.add(isOneWay ? 'one-way-partition' : 'two-way-partition');
    return `${part.join(' ')} ${isOneWay ? 'is no longer heard by' : 'and the rest are cut apart:'} ${rest.join(' ')}`;
  }

  heal(): void {
    this.blocked.clear();
  }
}

const nothing: readonly number[] = [];
