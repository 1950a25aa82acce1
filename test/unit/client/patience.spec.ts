import { describe, expect, it } from '@jest/globals';
import { Patience } from '../../../src/client/patience.js';

describe('how long to wait for an answer', () => {
  it('is the least at first, and while answers come at once', () => {
    const patience = new Patience(400, 3_200);
    expect(patience.ms).toBe(400);
    for (let count = 0; count < 100; count++) patience.observe(5);
    expect(patience.ms).toBe(400);
  });

  it('is the mean once answers take their time evenly, and more the less even they are', () => {
    const [even, uneven] = [new Patience(1, 10_000), new Patience(1, 10_000)];
    for (let count = 0; count < 200; count++) {
      even.observe(1_000);
      uneven.observe(count % 2 === 0 ? 900 : 1_100);
    }
    expect(even.ms).toBeCloseTo(1_000);
    expect(uneven.ms).toBeGreaterThan(1_200);
    expect(uneven.ms).toBeLessThan(1_600);
  });

  it('is never longer than the most', () => {
    const patience = new Patience(400, 3_200);
    for (let count = 0; count < 100; count++) patience.observe(60_000);
    expect(patience.ms).toBe(3_200);
  });
});
