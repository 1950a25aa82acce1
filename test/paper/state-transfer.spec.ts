import { describe, expect, it } from '@jest/globals';
import type { Effect, ReplyTable } from '../../src/pbft/effects.js';
import { digest, sequence } from '../../src/pbft/types.js';
import { CheckedReplica, executed, replies, sent, sentKinds, votes } from '../support/checked-replica.js';
import { RecordingApplication } from '../support/recording-application.js';
import { ask, certificate, checkpoint, commit, prepare, proposal } from '../support/core-messages.js';
import { newViewFrom, viewChange } from '../support/view-messages.js';

/** K = 4, L = 8; what stalls for 2 × 2 ticks does not get on. */
const small = { checkpointInterval: 4, logSize: 8, resendTicks: 2 };
const right = digest('the state that the others have');
const nothingReplied: ReplyTable = { headers: [], groups: [] };

type FetchState = Extract<Effect, { kind: 'fetch-state' }>;

function sought(effects: readonly Effect[]): FetchState[] {
  return effects.filter((effect) => effect.kind === 'fetch-state');
}

/** Replica 1 of 4, at the beginning, when others have told of a checkpoint. */
function told(place: number, ...signers: readonly number[]): CheckedReplica {
  const replica = new CheckedReplica(small);
  replica.receive(...signers.map((signer) => checkpoint(signer, place, right)));
  return replica;
}

function install(replica: CheckedReplica, place: number, table = nothingReplied): readonly Effect[] {
  const state = { sequence: sequence(place), digest: right, time: 5000, replies: table, proof: [] };
  return replica.step({ kind: 'state', ...state });
}

function agree(replica: CheckedReplica, place: number): Effect[] {
  const about = proposal(place);
  return replica.receive(about, prepare(2, about), commit(0, about), commit(2, about));
}

/** "If a replica learns about a stable checkpoint beyond its low water mark that it lacks, it fetches it" (TOCS '02 §5.3.2). */
describe('a state is sought (TOCS §5.3.2, rule 25)', () => {
  it('when f+1 vouch for it and nothing else gets on', () => {
    const replica = told(4, 0, 3);
    expect(sought(replica.ticks(3))).toEqual([]);
    expect(sought(replica.ticks(1))).toEqual([{ kind: 'fetch-state', sequence: 4, digest: right, holders: [0, 3] }]);
  });

  it('at once when the log between is certain to be gone', () => {
    expect(sought(told(12, 0, 3).ticks(1))).toMatchObject([{ sequence: 12 }]);
    expect(sought(told(8, 0, 3).ticks(1))).toEqual([]);
  });

  it('not on the word of f, whatever each of them says', () => {
    expect(sought(told(12, 0).ticks(50))).toEqual([]);
    const torn = told(12, 0);
    torn.receive(checkpoint(2, 12, digest('another')), checkpoint(3, 16, right));
    expect(sought(torn.ticks(50))).toEqual([]);
  });

  it('not while batches are executed one after the other', () => {
    const replica = told(8, 0, 3);
    for (let place = 1; place <= 6; place++) {
      agree(replica, place);
      expect(sought(replica.ticks(3))).toEqual([]);
    }
  });

  it('the newest one that f+1 vouch for, and a newer one as soon as there is', () => {
    const replica = told(12, 0, 3);
    replica.receive(checkpoint(2, 16, right));
    expect(sought(replica.ticks(1))).toMatchObject([{ sequence: 12 }]);
    replica.receive(checkpoint(0, 16, right));
    expect(sought(replica.ticks(1))).toMatchObject([{ sequence: 16, holders: [0, 2] }]);
  });

  it('that a view change shows to be stable', () => {
    const replica = new CheckedReplica(small);
    const proof = [0, 2, 3].map((signer) => checkpoint(signer, 12, right));
    replica.receive(viewChange(3, 1, { stable: { sequence: sequence(12), proof } }));
    expect(sought(replica.ticks(1))).toMatchObject([{ sequence: 12, holders: [0, 2, 3] }]);
  });

  it('that a new view begins with', () => {
    const replica = new CheckedReplica({ ...small, self: 3 });
    const proof = [0, 1, 2].map((signer) => checkpoint(signer, 12, right));
    const stable = { sequence: sequence(12), proof };
    replica.receive(newViewFrom([0, 1, 2].map((signer) => viewChange(signer, 1, { stable }))));
    expect(replica.core.view).toBe(1);
    expect(sought(replica.ticks(1))).toMatchObject([{ sequence: 12, holders: [0, 1, 2] }]);
  });
});

describe('a state that was fetched', () => {
  it('is where the replica goes on, with what is committed above it', () => {
    const replica = told(12, 0, 3);
    const above = proposal(13);
    // It knows that 13 is committed before it has the state to execute it on.
    const early = new CheckedReplica(small);
    early.receive(checkpoint(0, 8, right), checkpoint(3, 8, right));
    const nine = proposal(9);
    early.step({ kind: 'certificate', certificate: certificate(proposal(8)) });
    expect(executed(install(early, 8))).toEqual([]);
    expect(executed(early.step({ kind: 'certificate', certificate: certificate(nine) }))).toEqual([9]);
    install(replica, 12);
    expect(replica.core.lastExecuted).toBe(12);
    expect(executed(replica.step({ kind: 'certificate', certificate: certificate(above) }))).toEqual([13]);
  });

  it('lets us vouch for it, too, and is stable with q', () => {
    const replica = told(12, 0, 3);
    const effects = install(replica, 12);
    expect(sent(effects)).toEqual([checkpoint(1, 12, right)]);
    expect(replica.core.stable.sequence).toBe(12);
    expect(replica.core.highWaterMark).toBe(20);
  });

  it('is not wanted when f+1 do not vouch for it, or when we are there already', () => {
    const replica = told(12, 0, 3);
    expect(replica.core.wantsState(sequence(12), right)).toBe(true);
    expect(replica.core.wantsState(sequence(12), digest('another'))).toBe(false);
    expect(replica.core.wantsState(sequence(16), right)).toBe(false);
    install(replica, 12);
    expect(replica.core.wantsState(sequence(12), right)).toBe(false);
    expect(sought(replica.ticks(50))).toEqual([]);
  });

  it('brings what was replied: what was executed in it is answered, not executed again', () => {
    const table: ReplyTable = {
      headers: [{ client: 'c', forgotten: 0, lastSequence: sequence(7), lastIndex: 0 }],
      groups: [],
    };
    const replica = told(12, 0, 3);
    replica.submit(ask('c', 0));
    install(replica, 12, table);
    const effects = replica.submit(ask('c', 0, { gateway: 'gateway-2' }));
    expect(effects).toMatchObject([{ kind: 'refused', reason: 'stale-request' }]);
    expect(sentKinds(replica.ticks(100))).not.toContain('view-change');
  });

  it('leaves no slots behind that hold no vote of ours, however often one follows another without a quorum', () => {
    const replica = new CheckedReplica({ n: 7, ...small });
    for (let place = 1; place <= 8; place++) replica.receive(commit(2, proposal(place)));
    for (const at of [12, 24, 36]) {
      replica.receive(...[2, 3, 4].map((signer) => checkpoint(signer, at, right)));
      install(replica, at);
      // What comes next is missing each time.
      for (let place = at + 2; place <= at + small.logSize; place++) {
        replica.step({ kind: 'certificate', certificate: certificate(proposal(place), [2, 3, 4, 5, 6]) });
      }
    }
    expect(replica.core.lastExecuted).toBe(36);
  });

  it('frees nobody from what was said: what is above it stays promised', () => {
    const replica = new CheckedReplica(small);
    const about = proposal(6);
    replica.receive(about);
    replica.receive(checkpoint(0, 4, right), checkpoint(3, 4, right));
    install(replica, 4);
    expect(votes(replica.receive(proposal(6, 'client-2')))).toEqual([]);
  });
});

/** A replica whose digest differs from a stable checkpoint stops voting, says so, gets the state, and returns (rule 26). */
describe('a corrupt state', () => {
  const spoilt = new RecordingApplication();
  spoilt.checkpoint = () => digest('spoilt');

  function corrupt(): CheckedReplica {
    const replica = new CheckedReplica({ ...small, application: () => spoilt });
    for (let place = 1; place <= 4; place++) agree(replica, place);
    replica.receive(checkpoint(0, 4, right), checkpoint(2, 4, right), checkpoint(3, 4, right));
    return replica;
  }

  it('is noticed, keeps silent, and is replaced by what the others have', () => {
    const replica = corrupt();
    expect(replica.core.isCorrupt).toBe(true);
    expect(votes(agree(replica, 5))).toEqual([]);
    expect(sought(replica.ticks(1))).toMatchObject([{ sequence: 4, digest: right, holders: [0, 2, 3] }]);
    install(replica, 4);
    expect(replica.core.isCorrupt).toBe(false);
    expect(replica.core.stable.sequence).toBe(4);
  });

  it('is left behind: what was executed on it is executed again, and what is voted on counts again', () => {
    const replica = corrupt();
    agree(replica, 5);
    const effects = install(replica, 4);
    expect(executed(effects)).toEqual([5]);
    expect(replies(effects)).toMatchObject([{ statement: { sequence: 5 } }]);
    expect(votes(agree(replica, 6)).map(({ kind }) => kind)).toEqual(['prepare', 'commit']);
  });

  it('is replaced though a liar repeats our wrong word', () => {
    const replica = new CheckedReplica({ n: 6, ...small, application: () => spoilt });
    for (let place = 1; place <= 4; place++) {
      replica.step({ kind: 'certificate', certificate: certificate(proposal(place), [2, 3, 4, 5]) });
    }
    replica.receive(checkpoint(0, 4, digest('spoilt')));
    replica.receive(...[2, 3, 4, 5].map((signer) => checkpoint(signer, 4, right)));
    expect(replica.core.isCorrupt).toBe(true);
    expect(replica.core.wantsState(sequence(4), right)).toBe(true);
    expect(replica.core.wantsState(sequence(4), digest('spoilt'))).toBe(false);
  });

  it('never has two words on one checkpoint: the wrong one stays alone, and q others make it stable', () => {
    const replica = corrupt();
    expect(sentKinds(install(replica, 4))).not.toContain('checkpoint');
    expect(replica.core.stable.proof.map((message) => message.replica)).toEqual([0, 2, 3]);
  });
});
