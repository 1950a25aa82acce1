import { describe, expect, it } from '@jest/globals';
import { digest, view } from '../../../src/pbft/types.js';
import { quorumSize } from '../../../src/pbft/quorum.js';
import { CheckedReplica, executed, refusals, replies, sent, votes } from '../../support/checked-replica.js';
import { certificate, commit, prepare, proposal } from '../../support/core-messages.js';

const about = proposal(1);
const sound = certificate(about);
const [first, second, third] = [1, 2, 3].map((signer) => commit(signer, about)) as [
  ReturnType<typeof commit>,
  ReturnType<typeof commit>,
  ReturnType<typeof commit>,
];

/** A peer hands over a batch and the proof that it was committed: q COMMITs (rules 3 and 29). */
describe('a certificate', () => {
  it('has its batch executed and answered, without a word of our own', () => {
    const replica = new CheckedReplica();
    const effects = replica.step({ kind: 'certificate', certificate: sound });
    expect(executed(effects)).toEqual([1]);
    expect(replies(effects)).toHaveLength(1);
    expect(votes(effects)).toEqual([]);
  });

  it.each([
    { why: 'it has no COMMITs', commits: [] },
    { why: 'it has fewer than q', commits: [first, second] },
    { why: 'they are of fewer than q replicas', commits: [first, second, second] },
    { why: 'one is of another view', commits: [first, second, { ...third, view: view(1) }] },
    {
      why: 'one is of another sequence number',
      commits: [first, second, commit(3, { ...about, sequence: proposal(2).sequence })],
    },
    { why: 'one is for another batch', commits: [first, second, { ...third, digest: digest('another') }] },
    {
      why: 'they are for another batch',
      commits: [first, second, third].map((vote) => ({ ...vote, digest: digest('another') })),
    },
  ])('is refused when $why', ({ commits }) => {
    const replica = new CheckedReplica();
    const effects = replica.step({ kind: 'certificate', certificate: { ...sound, commits } });
    expect(effects).toEqual([{ kind: 'refused', reason: 'invalid-certificate' }]);
    expect(replica.core.lastExecuted).toBe(0);
  });

  it.each([5, 6, 7])('takes q COMMITs of %d replicas', (n) => {
    const signers = Array.from({ length: quorumSize(n) }, (_, index) => index);
    const replica = new CheckedReplica({ n });
    const fewer = replica.step({ kind: 'certificate', certificate: certificate(about, signers.slice(1)) });
    expect(refusals(fewer)).toEqual(['invalid-certificate']);
    expect(executed(replica.step({ kind: 'certificate', certificate: certificate(about, signers) }))).toEqual([1]);
  });

  it('is of no use twice, or for what is executed, or too far ahead', () => {
    const replica = new CheckedReplica({ logSize: 32 });
    const step = (place: number) => replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
    expect(refusals(step(2))).toEqual([]);
    expect(refusals(step(2))).toEqual(['duplicate']);
    expect(refusals(step(33))).toEqual(['outside-window']);
    expect(executed(step(1))).toEqual([1, 2]);
    expect(refusals(step(1))).toEqual(['already-executed']);
    expect(replica.application.history).toEqual(['client-1#1', 'client-1#2']);
  });

  it('can be passed on, as far back as the log reaches, and no further: memory is bounded', () => {
    const replica = new CheckedReplica({ logSize: 8, checkpointInterval: 8 });
    for (let place = 1; place <= 20; place++) {
      replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
    }
    const kept = Array.from({ length: 20 }, (_, index) => index + 1).filter(
      (place) => replica.core.certificateOf(proposal(place).sequence) !== undefined,
    );
    expect(kept).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
    const last = certificate(proposal(20));
    expect(replica.core.certificateOf(proposal(20).sequence)).toEqual(last);
  });

  it('counts for more than the proposal that its replica had accepted instead', () => {
    const replica = new CheckedReplica();
    const mine = proposal(1, 'somebody else');
    replica.receive(mine, prepare(2, mine));
    const effects = replica.step({ kind: 'certificate', certificate: sound });
    expect(executed(effects)).toEqual([1]);
    expect(sent(effects)).toEqual([]);
    expect(replica.application.history).toEqual(['client-1#1']);
  });

  it('makes late votes for its place harmless', () => {
    const replica = new CheckedReplica();
    replica.step({ kind: 'certificate', certificate: sound });
    const effects = replica.receive(about, prepare(2, about), prepare(3, about), ...sound.commits);
    expect(executed(effects)).toEqual([]);
    expect(replica.application.history).toEqual(['client-1#1']);
  });
});
