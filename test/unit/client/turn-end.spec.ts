import { beforeEach, describe, expect, it } from '@jest/globals';
import { TurnEnd } from '../../../src/client/turn-end.js';

describe('the end of a turn', () => {
  let now: number;
  let ran: number[];
  let deferred: (() => void)[];
  let turnEnd: TurnEnd;

  beforeEach(() => {
    now = 1000;
    ran = [];
    deferred = [];
    turnEnd = new TurnEnd(
      (at) => ran.push(at),
      () => now,
      (run) => deferred.push(run),
    );
  });

  function end(): void {
    for (const run of deferred.splice(0)) run();
  }

  it('is waited for once, whatever is due by then', () => {
    expect(turnEnd.due()).toBe(false);
    now += 14;
    expect(turnEnd.due()).toBe(false);
    expect([ran, deferred.length]).toEqual([[], 1]);
    end();
    expect(ran).toEqual([1014]);
    turnEnd.due();
    end();
    expect(ran).toEqual([1014, 1014]);
  });

  it('is not waited for in a long turn, which calls back as often as it lasts for', () => {
    const calledAt: number[] = [];
    for (; now <= 1032; now++) if (turnEnd.due()) calledAt.push(now);
    expect(calledAt).toEqual([1015, 1031]); // 15 ms after what was due first since the last time
    expect([ran, deferred.length]).toEqual([calledAt, 1]);
    end();
    expect(ran).toEqual([1015, 1031, 1033]);
  });

  it('does nothing where nothing is due any more', () => {
    turnEnd.due();
    now += 15;
    turnEnd.due();
    end();
    expect(ran).toEqual([1015]);
  });
});
