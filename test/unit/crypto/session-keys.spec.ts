import { describe, expect, it } from '@jest/globals';
import { Membership } from '../../../src/crypto/membership.js';
import { DerivedSessionKeys } from '../../../src/crypto/session-keys.js';
import { replicaIndex } from '../../../src/pbft/types.js';
import { tagBytes } from '../../../src/ports/signatures.js';
import { signaturesOf, testCluster, testMembership } from './support.js';

const { identities, genesis, authority } = testCluster(4);
const membership = testMembership(4);
const [one, two, three] = [replicaIndex(0), replicaIndex(1), replicaIndex(2)];
const keys = identities.map((identity, index) => new DerivedSessionKeys(identity, membership, replicaIndex(index)));
const message = Buffer.from('a message');

describe('session keys', () => {
  it.each(identities.map((_, index) => index))('of replica %i and each of the others fit together', (index) => {
    for (const [other, theirs] of keys.entries()) {
      if (other === index) continue;
      const tag = keys[index]!.tagFor(replicaIndex(other), message);
      expect(tag).toHaveLength(tagBytes);
      expect(theirs.fits(replicaIndex(index), message, tag)).toBe(true);
    }
  });

  it('are the same after a restart', () => {
    const again = new DerivedSessionKeys(identities[0]!, membership, one);
    expect(again.tagFor(two, message)).toEqual(keys[0]!.tagFor(two, message));
  });

  it('vouch for one message, and for all of the MAC', () => {
    const tag = keys[0]!.tagFor(two, message);
    expect(keys[1]!.fits(one, Buffer.from('another'), tag)).toBe(false);
    expect(keys[1]!.fits(one, message, tag.subarray(1))).toBe(false);
    for (let bit = 0; bit < tagBytes * 8; bit++) {
      const flipped = Buffer.from(tag);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(keys[1]!.fits(one, message, flipped)).toBe(false);
    }
  });

  it('are of one pair and of one direction: a MAC says who has made it, and for whom', () => {
    const tag = keys[0]!.tagFor(two, message);
    expect(keys[0]!.fits(two, message, tag)).toBe(false); // as if the other had said it
    expect(keys[2]!.fits(one, message, tag)).toBe(false); // for somebody else
    expect(keys[1]!.fits(three, message, tag)).toBe(false); // as if somebody else had said it
    expect(keys[1]!.fits(replicaIndex(9), message, tag)).toBe(false);
    expect(() => keys[0]!.tagFor(replicaIndex(9), message)).toThrow(RangeError);
  });

  it('are of one epoch', () => {
    const later = Object.create(membership, { epoch: { value: 1 } }) as Membership;
    const there = new DerivedSessionKeys(identities[0]!, later, one);
    expect(keys[1]!.fits(one, message, there.tagFor(two, message))).toBe(false);
  });

  it('are of one cluster', () => {
    const other = { ...genesis, cluster: 'another' };
    const { founderSignatures, enrolments } = signaturesOf(other, identities, authority);
    const there = new DerivedSessionKeys(identities[0]!, new Membership(other, founderSignatures, enrolments), one);
    expect(keys[1]!.fits(one, message, there.tagFor(two, message))).toBe(false);
  });
});
