import { describe, expect, it, jest } from '@jest/globals';
import { benchModule, type Figure } from './support.js';

interface Statistics {
  medianOf(values: readonly number[]): number;
  figureOf(runs: readonly number[]): Figure;
  ratioOf(over: Pick<Figure, 'runs'>, under: Pick<Figure, 'runs'>): Figure;
}

interface Taken {
  readonly seconds: number;
  readonly answered: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestGapMs: number;
}

interface Measuring {
  mark(): void;
  answered(startedAt: number, requests?: number): void;
  failed(code: string): void;
  take(): Taken;
}

const { medianOf, figureOf, ratioOf } = await benchModule<Statistics>('measure/statistics.mjs');
const { Meter } = await benchModule<{ Meter: new () => Measuring }>('measure/meter.mjs');
const { openLoop } = await benchModule<{
  openLoop(perSecond: number, send: (dueAt: number) => void): () => void;
}>('measure/open-loop.mjs');
const { processorUs, processorUsPerRequest } = await benchModule<{
  processorUs(pid: number): Promise<number | undefined>;
  processorUsPerRequest(before: object, after: object, requests: number): object;
}>('measure/processor-time.mjs');
const { operations } = await benchModule<{
  operations(options: { operationBytes: number; keys?: number }): () => { key: string };
}>('measure/operations.mjs');

describe('statistics', () => {
  it.each([
    [[5], 5],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ])('the median of %j is %d', (values, median) => {
    expect(medianOf(values)).toBe(median);
  });

  it('have no median of nothing', () => {
    expect(() => medianOf([])).toThrow('nothing');
  });

  it('keep the spread and every run', () => {
    expect(figureOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, runs: [3, 1, 2] });
  });

  it('take a ratio turn by turn, so that what slows a whole turn down is not in it', () => {
    const slowed = ratioOf({ runs: [10, 1, 10] }, { runs: [20, 2, 20] });
    expect(slowed).toMatchObject({ median: 0.5, min: 0.5, max: 0.5 });
  });
});

describe('a meter', () => {
  it('says how many were answered, how fast, and what failed', () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const meter = new Meter();
    meter.answered(0);
    now.mockReturnValue(1_000);
    meter.mark();
    for (let ms = 1; ms <= 100; ms++) {
      now.mockReturnValue(1_000 + ms);
      meter.answered(1_000); // the first takes 1 ms, the last 100 ms
    }
    meter.failed('overloaded');
    now.mockReturnValue(3_000);
    const taken = meter.take();
    now.mockRestore();
    expect(taken).toMatchObject({ seconds: 2, answered: 100, perSecond: 50, failed: { overloaded: 1 } });
    expect(taken.p50Ms).toBeCloseTo(50, 0);
    expect(taken.p99Ms).toBeCloseTo(99, 0);
    expect(taken.longestGapMs).toBe(1_900);
  });

  it('counts all requests of a batch, and says 0 where there was nothing', () => {
    const meter = new Meter();
    meter.mark();
    expect(meter.take()).toMatchObject({ answered: 0, p50Ms: 0, p99Ms: 0, failed: {} });
    meter.answered(performance.now(), 100);
    expect(meter.take().answered).toBe(100);
  });
});

describe('an open loop', () => {
  it('sends at its rate whatever happens, and says when each was due', () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const pass = (ms: number): void => {
      now.mockReturnValue(performance.now() + ms);
      jest.advanceTimersByTime(ms);
    };
    const due: number[] = [];
    const stop = openLoop(500, (dueAt) => due.push(dueAt));
    for (let ms = 0; ms < 10; ms++) pass(1);
    now.mockReturnValue(20); // the process was busy: what was due meanwhile is sent now
    pass(1);
    stop();
    pass(20);
    now.mockRestore();
    jest.useRealTimers();
    expect(due.map(Math.round)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  });
});

describe('processor time', () => {
  it('is divided by the requests, and left out where the system does not say', () => {
    const used = processorUsPerRequest({ client: 1_000, redis: 0, gone: 5 }, { client: 3_000, redis: undefined }, 4);
    expect(used).toEqual({ client: 500 });
  });

  it('of a process that does not run is not known', async () => {
    expect(await processorUs(2 ** 30)).toBeUndefined();
  });
});

describe('operations', () => {
  it.each([100, 200, 1024])('have %d bytes', (operationBytes) => {
    expect(JSON.stringify(operations({ operationBytes })())).toHaveLength(operationBytes);
  });

  it('are as small as they can be when asked for nothing, and go round their keys', () => {
    const next = operations({ operationBytes: 0, keys: 2 });
    const [first, second, third] = [next(), next(), next()];
    expect(first).toEqual({ op: 'put', key: 'key-0000000', value: '' });
    expect(second.key).not.toBe(first.key);
    expect(third.key).toBe(first.key);
  });
});
