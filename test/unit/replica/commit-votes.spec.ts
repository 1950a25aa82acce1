import { beforeEach, describe, expect, it } from '@jest/globals';
import { DerivedSessionKeys } from '../../../src/crypto/session-keys.js';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import type { Commit } from '../../../src/pbft/messages.js';
import { digest, replicaIndex, sequence, view } from '../../../src/pbft/types.js';
import { tagBytes } from '../../../src/ports/signatures.js';
import { CommitVotes } from '../../../src/replica/commit-votes.js';
import { Evidence } from '../../../src/replica/evidence.js';
import { Authenticator } from '../../../src/wire/authenticator.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import type { Frame } from '../../../src/wire/frame.js';
import { encodePhaseBody } from '../../../src/wire/phase.js';
import { testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const { identities } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const verifier = new Ed25519Verifier(membership);
const authenticators = identities.map((identity, index) => {
  return new Authenticator(context, new DerivedSessionKeys(identity, membership, replicaIndex(index)), index);
});

const about = { view: view(0), sequence: sequence(1), digest: digest('a'.repeat(64)) };

describe('COMMITs that come with MACs', () => {
  let verified: number;
  let liars: number[];
  let opener: Opener;
  let votes: CommitVotes;

  beforeEach(() => {
    verified = 0;
    liars = [];
    opener = new Opener(context, {
      verifyReplica(replica, message, signature) {
        verified++;
        return verifier.verifyReplica(replica, message, signature);
      },
      verifyGateway: () => false,
    });
    votes = new CommitVotes({
      opener,
      authenticator: authenticators[0]!,
      onFalseSignature: (replica) => liars.push(replica),
    });
  });

  function commitOf(signer: number, change: Partial<typeof about> & { readonly isFalse?: boolean } = {}): Frame {
    const { isFalse = false, ...other } = change;
    const body = encodePhaseBody({ ...about, ...other });
    const sealer = new Sealer(context, new Ed25519Signer(identities[signer]!), signer);
    const signature = isFalse ? Buffer.alloc(64, 7) : sealer.signatureOf('commit', body);
    const tags = authenticators[signer]!.of({ body, signature });
    return opener.open(sealer.wrap('commit', body, signature, tags), 'commit') as Frame;
  }

  /** As the inbox counts it. */
  function count(frame: Frame, said: Partial<typeof about> = {}): Commit {
    expect(votes.vouchesFor(frame)).toBe(true);
    const vote: Commit = { kind: 'commit', ...about, ...said, replica: replicaIndex(frame.signer) };
    votes.count(vote, frame);
    return vote;
  }

  it('count without a look at their signatures', () => {
    count(commitOf(1));
    count(commitOf(2));
    expect(verified).toBe(0);
  });

  it('have a place for each replica, of which the own is empty', () => {
    const { attachment } = commitOf(2);
    expect(attachment).toHaveLength(4 * tagBytes);
    const places = [0, 1, 2, 3].map((place) => attachment.subarray(place * tagBytes, (place + 1) * tagBytes));
    expect(places.map((tag) => tag.equals(Buffer.alloc(tagBytes)))).toEqual([false, false, true, false]);
  });

  it('do not count with anything in them exchanged', () => {
    const frame = commitOf(1);
    const flipped = (bytes: Buffer): Buffer => {
      const copy = Buffer.from(bytes);
      copy[0]! ^= 1;
      return copy;
    };
    for (const part of ['body', 'signature', 'attachment'] as const) {
      expect(votes.vouchesFor({ ...frame, [part]: flipped(frame[part]) })).toBe(false);
    }
    expect(votes.vouchesFor({ ...frame, signer: 2 })).toBe(false);
    expect(votes.vouchesFor({ ...frame, attachment: frame.attachment.subarray(tagBytes) })).toBe(false);
    expect(votes.vouchesFor({ ...frame, attachment: Buffer.alloc(0) })).toBe(false);
  });

  it('are none of our own, whatever they bring', () => {
    const { attachment, ...rest } = commitOf(1);
    const reflected = Buffer.concat([authenticators[0]!.of(rest).subarray(tagBytes, 2 * tagBytes), attachment]);
    expect(votes.vouchesFor({ ...rest, signer: 0, attachment: reflected.subarray(0, attachment.length) })).toBe(false);
    expect(votes.vouchesFor({ ...rest, signer: 1, attachment: reflected.subarray(0, attachment.length) })).toBe(false);
  });

  it('are proven to others by their signatures, which are looked at once', () => {
    const vote = count(commitOf(1));
    expect([votes.isProven(vote), votes.isProven(vote)]).toEqual([true, true]);
    expect(verified).toBe(1);
    expect(votes.vouchesFor(commitOf(1, { sequence: sequence(2) }))).toBe(true);
  });

  it('of whoever vouches for a false signature are never proven, and count by signatures alone from then on', () => {
    const before = count(commitOf(1, { isFalse: true }));
    const others = count(commitOf(2));
    expect([votes.isProven(before), votes.isProven(before)]).toEqual([false, false]);
    expect([liars, verified]).toEqual([[1], 1]);
    expect(votes.vouchesFor(commitOf(1, { sequence: sequence(2) }))).toBe(false);
    expect(votes.isProven(others)).toBe(true);
    expect(votes.vouchesFor(commitOf(2, { sequence: sequence(2) }))).toBe(true);
  });

  it('are looked at now and then, one of those that were counted since: whoever lies for long is found', () => {
    const lie = commitOf(1, { isFalse: true });
    count(commitOf(2));
    count(lie);
    votes.lookAtOne(6);
    expect([verified, liars]).toEqual([1, []]);
    votes.lookAtOne(7); // nothing was counted since
    expect([verified, liars]).toEqual([1, []]);
    count(commitOf(2));
    count(lie);
    votes.lookAtOne(7);
    expect([verified, liars]).toEqual([2, [1]]);
  });

  describe('and contradict each other', () => {
    const reports: string[] = [];
    const logger = {
      info: () => undefined,
      warn: () => undefined,
      error: (_: object, text: string) => reports.push(text),
    };
    const contradict = (isFalse: boolean): Evidence => {
      reports.length = 0;
      const isProven = votes.isProven.bind(votes);
      const evidence = new Evidence({ names: ['a', 'b', 'c', 'd'], logger, isProven });
      const other = { digest: digest('b'.repeat(64)) };
      evidence.add({ first: count(commitOf(1)), second: count(commitOf(1, { ...other, isFalse }), other) });
      return evidence;
    };

    it('are evidence where both are signed', () => {
      const evidence = contradict(false);
      expect([evidence.count, evidence.kept.length]).toEqual([1, 1]);
      expect(reports).toEqual(['a replica contradicts itself: proof that it is faulty']);
    });

    it('are none where one is not: nobody else could see it', () => {
      const evidence = contradict(true);
      expect([evidence.count, evidence.kept.length]).toEqual([0, 0]);
      expect(reports).toEqual([]);
      expect(liars).toEqual([1]);
    });
  });
});
