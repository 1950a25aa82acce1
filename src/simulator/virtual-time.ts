/** Microseconds of virtual time in a millisecond. */
const microseconds = 1000;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * The only clock of a simulation. What is due at one time happens in the order in which it was asked for, so that the same
 * calls give the same run.
 */
export class VirtualTime {
  /** Virtual microseconds since the start. */
  private time = 0;
  private order = 0;
  /** A binary heap: the next event is the first. */
  private readonly heap: Event[] = [];

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.time / microseconds;
  }

  /** Events that have happened. */
  happened = 0;

  get isIdle(): boolean {
    return this.heap.length === 0;
  }

  /** Has something happen after so many milliseconds. */
  after(delayMs: number, run: () => void): void {
    const event = { at: this.time + Math.max(0, Math.round(delayMs * microseconds)), order: this.order++, run };
    const { heap } = this;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above];
      if (other === undefined || isBefore(other, event)) break;
      heap[place] = other;
      place = above;
    }
    heap[place] = event;
  }

  /** Has the next thing happen. @returns whether there was one */
  runNext(): boolean {
    const next = this.take();
    if (next === undefined) return false;
    this.time = next.at;
    this.happened++;
    next.run();
    return true;
  }

  private take(): Event | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const [a, b] = [heap[left], heap[left + 1]];
      if (a === undefined) break;
      const [child, at] = b !== undefined && isBefore(b, a) ? [b, left + 1] : [a, left];
      if (isBefore(last, child)) break;
      heap[place] = child;
      place = at;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * Has one thing happen after the other until `isOver`, each with all that follows from it at once: microtasks run to their
 * end in between, as they do between two events of a process.
 */
export function drive(time: VirtualTime, isOver: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        if (isOver() || !time.runNext()) resolve();
        else setImmediate(turn);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    setImmediate(turn); // what is under way ends first
  });
}
