import { describe, expect, it } from '@jest/globals';
import type { PhaseMessage, PrePrepare } from '../../src/pbft/messages.js';
import { quorumSize } from '../../src/pbft/quorum.js';
import { CheckedReplica, executed, sent, sentKinds } from '../support/checked-replica.js';
import { ask, commit, prepare, proposal } from '../support/core-messages.js';
import { forEachSeed, permutations, type Random } from '../support/seeds.js';

/**
 * The predicates of OSDI '99 §4.2, counted anew here: prepared(m, v, n, i) and committed-local(m, v, n, i), with q in
 * the place of 2f+1 (rules 1 to 3).
 */
class Expectation {
  private readonly prepares = new Set<number>();
  private readonly commits = new Set<number>();
  private isAccepted = false;
  private isPrepared = false;
  private isCommitted = false;

  constructor(
    private readonly about: PrePrepare,
    private readonly q: number,
    private readonly self: number,
  ) {}

  /** What the replica must say and execute when it takes this message. */
  take(message: PhaseMessage): string[] {
    const does: string[] = [];
    const counts = message.digest === this.about.digest;
    if (message.kind === 'prepare' && counts) this.prepares.add(message.replica);
    if (message.kind === 'commit' && counts) this.commits.add(message.replica);
    if (message.kind === 'pre-prepare') {
      this.isAccepted = true;
      if (this.self !== message.replica) {
        this.prepares.add(this.self);
        does.push('prepare');
      }
    }
    if (!this.isPrepared && this.isAccepted && this.prepares.size >= this.q - 1) {
      this.isPrepared = true;
      this.commits.add(this.self);
      does.push('commit');
    }
    if (!this.isCommitted && this.isPrepared && this.commits.size >= this.q) {
      this.isCommitted = true;
      does.push('executed 1');
    }
    return does;
  }
}

function doings(replica: CheckedReplica, message: PhaseMessage): string[] {
  const effects = replica.receive(message);
  return [...sentKinds(effects), ...executed(effects).map((place) => `executed ${place}`)];
}

/** Every message of one instance that replica `self` gets from the others. */
function instanceFor(self: number, n: number, about: PrePrepare): PhaseMessage[] {
  const others = Array.from({ length: n }, (_, replica) => replica).filter((replica) => replica !== self);
  const prepares = others.filter((replica) => replica !== 0).map((replica) => prepare(replica, about));
  const commits = others.map((replica) => commit(replica, about));
  return self === 0 ? [...prepares, ...commits] : [about, ...prepares, ...commits];
}

/** A replica that waits for the instance: the primary has proposed it. */
function begun(self: number, n: number): { readonly replica: CheckedReplica; readonly about: PrePrepare } {
  const replica = new CheckedReplica({ n, self });
  if (self !== 0) return { replica, about: proposal(1) };
  const [about] = sent(replica.submit(ask('client-1', 1))) as [PrePrepare];
  return { replica, about };
}

function check(self: number, n: number, order: (about: PrePrepare) => readonly PhaseMessage[]): void {
  const { replica, about } = begun(self, n);
  const expectation = new Expectation(about, quorumSize(n), self);
  if (self === 0) expectation.take(about);
  const messages = order(about);
  const does = messages.map((message) => doings(replica, message));
  expect(does).toEqual(messages.map((message) => expectation.take(message)));
}

/** Some votes are missing, and f replicas vote for something else. */
function mixed(messages: readonly PhaseMessage[], n: number, random: Random): PhaseMessage[] {
  const liars = random
    .shuffled(Array.from({ length: n - 1 }, (_, index) => index + 1))
    .slice(0, Math.floor((n - 1) / 3));
  const other = proposal(1, 'nobody');
  const told = messages.map((message) => {
    if (message.kind === 'pre-prepare' || !liars.includes(message.replica)) return message;
    return { ...message, digest: other.digest };
  });
  return random.shuffled(told.filter((message) => message.kind === 'pre-prepare' || !random.chance(0.15)));
}

describe('prepared and committed-local (OSDI §4.2)', () => {
  it.each([0, 1, 2, 3])('hold when they should, in every order of the votes: replica %d of 4', (self) => {
    let orders = 0;
    const { about } = begun(self, 4);
    for (const order of permutations(instanceFor(self, 4, about))) {
      check(self, 4, () => order);
      orders++;
    }
    expect(orders).toBe(720);
  });

  it.each([4, 5, 6, 7, 10])('hold when they should, with votes missing and others for something else: n = %d', (n) => {
    forEachSeed(60, (random) => {
      const self = random.below(n);
      check(self, n, (about) => mixed(instanceFor(self, n, about), n, random));
    });
  });

  it('prepared needs the PRE-PREPARE, however many PREPAREs there are', () => {
    const { replica, about } = begun(1, 4);
    expect(sent(replica.receive(prepare(2, about), prepare(3, about)))).toEqual([]);
    expect(replica.core.lastPrepared).toBe(0);
    expect(sentKinds(replica.receive(about))).toEqual(['prepare', 'commit']);
    expect(replica.core.lastPrepared).toBe(1);
  });

  it('committed-local needs prepared, however many COMMITs there are', () => {
    const { replica, about } = begun(1, 4);
    const effects = replica.receive(about, commit(0, about), commit(2, about), commit(3, about));
    expect(sentKinds(effects)).toEqual(['prepare']);
    expect(executed(effects)).toEqual([]);
    expect(executed(replica.receive(prepare(2, about)))).toEqual([1]);
  });

  it('committed-local needs q COMMITs, whoever they are of', () => {
    for (const n of [4, 5, 6, 7]) {
      const { replica, about } = begun(1, n);
      const votes = instanceFor(1, n, about);
      replica.receive(...votes.filter(({ kind }) => kind !== 'commit'));
      const commits = votes.filter(({ kind }) => kind === 'commit');
      const needed = commits.findIndex((vote) => executed(replica.receive(vote)).length > 0) + 1;
      expect(needed).toBe(quorumSize(n) - 1);
    }
  });
});
