import { beforeEach, describe, expect, it } from '@jest/globals';
import { Checkpoints } from '../../../src/pbft/checkpoints.js';
import { digest, replicaIndex, sequence } from '../../../src/pbft/types.js';
import { checkpoint } from '../../support/core-messages.js';

const a = digest('a'.repeat(64));
/** What is kept of each signer. */
const kept = 64;

describe('the CHECKPOINTs heard', () => {
  let heard: Checkpoints;

  beforeEach(() => {
    heard = new Checkpoints();
  });

  const isKept = (signer: number, place: number): boolean =>
    heard.of(replicaIndex(signer), sequence(place)) !== undefined;

  it('are bounded for each signer, the newest stay, and whoever says many takes nobody else’s room', () => {
    heard.add(checkpoint(2, sequence(1), a));
    for (let place = 1; place <= 10 * kept; place++) heard.add(checkpoint(1, sequence(place), a));
    const places = Array.from({ length: 10 * kept }, (_, index) => index + 1);
    expect(places.filter((place) => isKept(1, place))).toEqual(places.slice(-kept));
    expect(isKept(2, 1)).toBe(true);
  });

  it('are bounded whatever the order in which they come', () => {
    for (let place = 10 * kept; place > 0; place--) heard.add(checkpoint(1, sequence(place), a));
    const places = Array.from({ length: 10 * kept }, (_, index) => index + 1);
    expect(places.filter((place) => isKept(1, place))).toEqual(places.slice(-kept));
  });
});
