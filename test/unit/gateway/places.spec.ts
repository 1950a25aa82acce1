import { describe, expect, it } from '@jest/globals';
import { Places } from '../../../src/gateway/places.js';

const max = 1024;
const deadlineMs = 4_000;
const targetMs = deadlineMs / 4;

/** Places after requests that began at once and took so long, one after the other, with so many in flight. */
function after(places: Places, startedAt: number, tookMs: readonly number[], inFlight = max): number {
  for (const took of tookMs) places.onEnd(startedAt, startedAt + took, inFlight);
  return places.count;
}

/**
 * Requests come at a rate, and are answered at a lower one, in order; the gateway gives them up at the deadline, which spares the cluster
 * nothing. @returns what the second minute met
 */
function overload(inFlightMax: number, offeredPerSecond: number, answeredPerSecond: number) {
  const places = new Places(inFlightMax, deadlineMs);
  const waiting: { readonly since: number; isGivenUp: boolean }[] = [];
  let [inFlight, oldest] = [0, 0];
  const met = { answeredPerSecond: 0, slowestMs: 0, givenUp: 0 };
  const end = (since: number, now: number): void => {
    places.onEnd(since, now, inFlight);
    inFlight -= 1;
  };
  for (let now = 0; now < 120_000; now++) {
    const counts = now >= 60_000;
    for (let due = arrivals(now, offeredPerSecond); due > 0 && inFlight < places.count; due--) {
      inFlight += 1;
      waiting.push({ since: now, isGivenUp: false });
    }
    for (let able = arrivals(now, answeredPerSecond); able > 0 && oldest < waiting.length; able--) {
      const { since, isGivenUp } = waiting[oldest++]!;
      if (isGivenUp) continue;
      end(since, now);
      if (counts) met.answeredPerSecond += 1 / 60;
      if (counts) met.slowestMs = Math.max(met.slowestMs, now - since);
    }
    for (const one of waiting.slice(oldest)) {
      if (one.isGivenUp || now - one.since < deadlineMs) continue;
      one.isGivenUp = true;
      end(one.since, now);
      if (counts) met.givenUp += 1;
    }
  }
  return met;
}

/** How many of so many a second fall into the millisecond. */
function arrivals(now: number, perSecond: number): number {
  return Math.floor(((now + 1) * perSecond) / 1000) - Math.floor((now * perSecond) / 1000);
}

describe('the places at a gateway', () => {
  it('are all there at first, and while answers come in time', () => {
    expect(after(new Places(max, deadlineMs), 0, [1, targetMs, 20])).toBe(max);
  });

  it('become fewer by as much as an answer is late, and by half at most', () => {
    expect(after(new Places(max, deadlineMs), 0, [targetMs * 1.25])).toBe(Math.floor(max * 0.8));
    expect(after(new Places(max, deadlineMs), 0, [targetMs * 9])).toBe(max / 2);
  });

  it('become fewer once for all requests that set out before', () => {
    const places = new Places(max, deadlineMs);
    expect(after(places, 0, [2 * targetMs, 3 * targetMs, 4 * targetMs])).toBe(max / 2);
    expect(after(places, 2 * targetMs, [2 * targetMs])).toBe(max / 4);
  });

  it.each([
    [max, 64],
    [64, 64],
    [3, 3],
  ])('of %d never become fewer than %d', (most, least) => {
    const places = new Places(most, deadlineMs);
    for (let now = 0; now < 99 * deadlineMs; now += deadlineMs) after(places, now, [deadlineMs]);
    expect(places.count).toBe(least);
  });

  it('come back while they are needed and answers come in time, and never become more than there were', () => {
    const places = new Places(max, deadlineMs);
    after(places, 0, [2 * targetMs]);
    const quick = Array.from({ length: max }, () => 1);
    expect(after(places, 9 * targetMs, quick, 20)).toBe(max / 2);
    expect(after(places, 9 * targetMs, quick)).toBe(Math.floor(max / 2 + max / 20));
    expect(
      after(
        places,
        9 * targetMs,
        Array.from({ length: 20 * max }, () => 1),
      ),
    ).toBe(max);
  });

  it.each([
    [50, 200],
    [300, 600],
    [900, 4_000],
  ])('let a cluster that answers %d/s answer that many of %d/s, each well within the deadline', (able, offered) => {
    const met = overload(max, offered, able);
    expect(met.givenUp).toBe(0);
    expect(met.answeredPerSecond).toBeGreaterThan(0.98 * able);
    expect(met.slowestMs).toBeLessThan(deadlineMs / 2);
  });
});
