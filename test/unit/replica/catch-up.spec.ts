import { describe, expect, it } from '@jest/globals';
import { CatchUp } from '../../../src/replica/catch-up.js';
import { fetchCountMax, type Fetch } from '../../../src/wire/service.js';

/** What is asked for in so many ticks in which nothing is executed. */
function ticks(catchUp: CatchUp, count: number, lastExecuted: number): Fetch[] {
  return Array.from({ length: count }, () => catchUp.tick(lastExecuted)).filter((fetch) => fetch !== undefined);
}

describe('catching up', () => {
  it('asks nobody while nobody is ahead', () => {
    const catchUp = new CatchUp();
    for (const replica of [0, 1, 2]) catchUp.onStatus(replica, 5);
    expect(ticks(catchUp, 100, 5)).toEqual([]);
  });

  it('waits a little for what may be on its way', () => {
    const catchUp = new CatchUp();
    catchUp.onStatus(1, 9);
    expect(ticks(catchUp, 4, 5)).toEqual([]); // in the first of them it has come to 5
    expect(ticks(catchUp, 1, 5)).toEqual([{ target: 1, from: 6, count: 4 }]);
  });

  it('asks nobody while it comes along by itself, however far ahead others are', () => {
    const catchUp = new CatchUp();
    catchUp.onStatus(1, 1000);
    for (let executed = 1; executed < 100; executed++) expect(catchUp.tick(executed)).toBeUndefined();
  });

  it('asks for no more than may be asked for, and goes on at once when that has come', () => {
    const catchUp = new CatchUp();
    const height = 3 * fetchCountMax + 7;
    catchUp.onStatus(2, height);
    const asked: Fetch[] = ticks(catchUp, 4, 0);
    for (let last = asked.at(-1); last !== undefined; last = asked.at(-1)) {
      const [next] = ticks(catchUp, 1, last.from + last.count - 1);
      if (next === undefined) break;
      asked.push(next);
    }
    expect(asked.map(({ from, count }) => [from, count])).toEqual([
      [1, fetchCountMax],
      [1 + fetchCountMax, fetchCountMax],
      [1 + 2 * fetchCountMax, fetchCountMax],
      [1 + 3 * fetchCountMax, 7],
    ]);
    expect(asked.every(({ target }) => target === 2)).toBe(true);
  });

  it('asks the next one who is ahead when the answer does not come', () => {
    const catchUp = new CatchUp();
    for (const replica of [0, 1, 3]) catchUp.onStatus(replica, 10);
    catchUp.onStatus(2, 4);
    const targets = ticks(catchUp, 60, 5).map(({ target }) => target);
    expect(targets.slice(0, 4)).toEqual([0, 1, 3, 0]);
  });

  it('loses one round to a liar who says that it is ahead', () => {
    const catchUp = new CatchUp();
    catchUp.onStatus(0, Number.MAX_SAFE_INTEGER);
    catchUp.onStatus(1, 10);
    const [lie, truth] = ticks(catchUp, 30, 5);
    expect(lie).toEqual({ target: 0, from: 6, count: fetchCountMax });
    expect(truth).toEqual({ target: 1, from: 6, count: 5 });
    expect(ticks(catchUp, 100, 10).length).toBeLessThanOrEqual(10); // and one frame each time-out from then on
  });

  it('believes what a peer says last: it may have been restarted, too', () => {
    const catchUp = new CatchUp();
    catchUp.onStatus(1, 10);
    catchUp.onStatus(1, 2);
    expect(ticks(catchUp, 50, 5)).toEqual([]);
  });
});
