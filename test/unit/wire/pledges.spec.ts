import { describe, expect, it } from '@jest/globals';
import { identityFromSeed } from '../../../src/crypto/ed25519.js';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import { openingBytes, voteSignatureBytes, type Vote } from '../../../src/wire/kinds.js';
import { encodePhaseBody } from '../../../src/wire/phase.js';
import { testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const { identities } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };

const about = (inView: number, place: number, letter = 'a'): Buffer => {
  return encodePhaseBody({ view: view(inView), sequence: sequence(place), digest: digest(letter.repeat(64)) });
};

const body = about(0, 1);

function sealer(index: number): Sealer {
  return new Sealer(context, new Ed25519Signer(identities[index]!), index);
}

/** An opener that counts the signatures which it has to verify. */
function counting() {
  const genuine = new Ed25519Verifier(membership);
  const counted = { verified: 0 };
  const opener = new Opener(context, {
    verifyReplica: (...of) => {
      counted.verified++;
      return genuine.verifyReplica(...of);
    },
    verifyGateway: genuine.verifyGateway.bind(genuine),
  });
  const hear = (kind: Vote, signer: number, said: Buffer, signature: Buffer): boolean => {
    return opener.verify({ kind, signer, body: said, signature });
  };
  return { counted, hear };
}

/** A COMMIT's signature: another's, with this one's opening. */
const opening = (signed: Buffer, commit: Buffer): Buffer => {
  return Buffer.concat([signed.subarray(0, -openingBytes), commit.subarray(-openingBytes)]);
};

describe('a COMMIT', () => {
  it.each([
    ['a backup', 1, 'prepare'],
    ['the primary', 0, 'pre-prepare'],
  ] as const)('of %s needs no signature where its pledge was verified, and one elsewhere', (_, signer, pledging) => {
    const [pledge, commit] = [sealer(signer).signatureOf(pledging, body), sealer(signer).signatureOf('commit', body)];
    const { counted, hear } = counting();
    expect(hear(pledging, signer, body, pledge)).toBe(true);
    expect(hear('commit', signer, body, commit)).toBe(true);
    expect(counted.verified).toBe(1);
    const elsewhere = counting();
    expect(elsewhere.hear('commit', signer, body, commit)).toBe(true);
    expect(elsewhere.counted.verified).toBe(1);
  });

  it('is the same from a later process', () => {
    const one = sealer(1);
    one.signatureOf('prepare', body);
    expect(one.signatureOf('commit', body)).toEqual(sealer(1).signatureOf('commit', body));
    expect(one.signatureOf('commit', body)).toHaveLength(voteSignatureBytes);
  });

  it('is not made of a PREPARE, nor of what opens a pledge for anything else, or of anybody else', () => {
    const { hear } = counting();
    const prepare = sealer(1).signatureOf('prepare', body);
    expect(hear('prepare', 1, body, prepare)).toBe(true);
    expect(hear('commit', 1, body, prepare)).toBe(false);
    for (const other of [about(0, 2), about(4, 1), about(0, 1, 'b')]) {
      const commit = sealer(1).signatureOf('commit', other);
      expect(hear('commit', 1, other, commit)).toBe(true);
      expect(hear('commit', 1, body, commit)).toBe(false);
      expect(hear('commit', 1, body, opening(prepare, commit))).toBe(false);
    }
    const another = sealer(2).signatureOf('commit', body);
    expect(hear('commit', 1, body, another)).toBe(false);
    expect(hear('commit', 1, body, opening(prepare, another))).toBe(false);
  });

  it('does not count with a pledge that its signer has not signed, whoever opens it', () => {
    const { hear } = counting();
    const made = sealer(2);
    expect(hear('prepare', 1, body, made.signatureOf('prepare', body))).toBe(false);
    expect(hear('commit', 1, body, made.signatureOf('commit', body))).toBe(false);
  });

  it('opens what its signer has signed, and no signature that was made up', () => {
    const { hear } = counting();
    const [prepare, commit] = [sealer(1).signatureOf('prepare', body), sealer(1).signatureOf('commit', body)];
    expect(hear('prepare', 1, body, prepare)).toBe(true);
    expect(hear('commit', 1, body, opening(Buffer.alloc(voteSignatureBytes, 7), commit))).toBe(false);
    const other = sealer(2);
    expect(hear('prepare', 2, body, other.signatureOf('prepare', body))).toBe(true);
    expect(hear('commit', 1, body, other.signatureOf('commit', body))).toBe(false);
  });

  it('has an opening that follows from the private key, and from all that is said', () => {
    const openingIn = (change: Partial<typeof context>, said = body): string => {
      const one = new Sealer({ ...context, ...change }, new Ed25519Signer(identityFromSeed(Buffer.alloc(32, 1))), 1);
      return one.signatureOf('commit', said).subarray(-openingBytes).toString('hex');
    };
    const zeros = { genesisDigest: Buffer.alloc(32) };
    // Computed by another program: HKDF-SHA-256 of the seed, then SHA-256(key ‖ preamble ‖ body).
    expect(openingIn(zeros)).toBe('772cdf38057efdff5cddc18b030d4fa07fd995ae2bef95cb2df230cae28e7943');
    const openings = [
      openingIn({}),
      openingIn(zeros),
      openingIn({ ...zeros, epoch: 1 }),
      ...[about(0, 2), about(1, 1), about(0, 1, 'b')].map((said) => openingIn(zeros, said)),
    ];
    expect(new Set(openings).size).toBe(openings.length);
  });

  it('is the primary’s by its PRE-PREPARE alone, and a backup’s by its PREPARE alone', () => {
    const { hear } = counting();
    for (const [signer, wrong] of [
      [0, 'prepare'],
      [1, 'pre-prepare'],
    ] as const) {
      const one = sealer(signer);
      const pledged = one.signatureOf(wrong, body);
      expect(hear(wrong, signer, body, pledged)).toBe(true); // it has signed that; the core refuses it
      expect(hear('commit', signer, body, opening(pledged, one.signatureOf('commit', body)))).toBe(false);
    }
  });

  it('that is cut off, or about no view, is none', () => {
    const { hear, counted } = counting();
    const commit = sealer(1).signatureOf('commit', body);
    expect(hear('commit', 1, body, commit.subarray(0, -1))).toBe(false);
    expect(hear('commit', 1, Buffer.alloc(7), commit)).toBe(false);
    expect(hear('commit', 1, Buffer.alloc(48, 255), commit)).toBe(false);
    expect(counted.verified).toBe(0);
  });
});
