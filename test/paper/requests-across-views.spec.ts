import { describe, expect, it } from '@jest/globals';
import type { ReplicaMessage } from '../../src/pbft/messages.js';
import { Scenario } from '../support/directed/scenario.js';
import { ask, nullBatch } from '../support/core-messages.js';
import { newViewFrom, viewChange } from '../support/view-messages.js';

/** Whole clusters of four, in which everything that correct replicas do is checked. */
describe('what a view change does to requests (OSDI §4.4)', () => {
  /** Whether this is a vote of view 0, which stays lost when it is sent again. */
  const isVote = (message: ReplicaMessage | undefined, ...kinds: readonly string[]): boolean =>
    message !== undefined && kinds.includes(message.kind) && 'view' in message && message.view === 0;

  it('a batch that had prepared at one replica alone survives its primary under the same digest', () => {
    const cluster = new Scenario();
    // Everybody prepares, only replica 2 hears it: nobody else can know whether it has committed.
    cluster.lose((_, to, message) => isVote(message, 'commit') || (isVote(message, 'prepare') && to !== 2));
    cluster.ask(ask('c', 1));
    cluster.until('prepared at 2', () => cluster.at(2).replica.lastPrepared === 1);
    cluster.kill(0);
    cluster.untilExecuted('c#1');
    const [original] = cluster.saidOf('pre-prepare', 0);
    const [begun] = cluster.saidOf('new-view');
    expect(begun?.prePrepares).toMatchObject([{ sequence: 1, digest: original?.digest, view: 1 }]);
    expect(cluster.at(1).history).toEqual(['c#1']);
  });

  it('a batch that was executed by some is executed by all, and not twice', () => {
    const cluster = new Scenario();
    cluster.lose((_, to, message) => isVote(message, 'commit') && to !== 3);
    cluster.ask(ask('c', 1));
    cluster.until('executed at 3', () => cluster.at(3).replica.lastExecuted === 1);
    cluster.kill(0);
    cluster.ask(ask('d', 1));
    cluster.untilExecuted('d#1', 'c#1');
    expect(cluster.at(1).history).toEqual(['c#1', 'd#1']);
  });

  it('a request whose batch had prepared nowhere is proposed again', () => {
    const cluster = new Scenario();
    cluster.lose((_, __, message) => isVote(message, 'prepare'));
    cluster.ask(ask('c', 1));
    cluster.until('proposed', () => cluster.saidOf('pre-prepare').length > 0);
    cluster.kill(0);
    cluster.untilExecuted('c#1');
    const [, again] = cluster.saidOf('pre-prepare');
    expect(again).toMatchObject({ view: 1, sequence: 1, replica: 1, batch: { view: 1, bundles: [ask('c', 1)] } });
  });

  it('a gap before a prepared batch is filled with the null batch, and its request comes later', () => {
    const cluster = new Scenario();
    cluster.lose((_, __, message) => message?.kind === 'prepare' && message.view === 0 && message.sequence === 1);
    cluster.ask(ask('c', 1));
    cluster.ask(ask('d', 1));
    cluster.until('both are proposed', () => cluster.saidOf('pre-prepare').length >= 2);
    cluster.ticks(2);
    cluster.kill(0);
    cluster.untilExecuted('c#1', 'd#1');
    const [begun] = cluster.saidOf('new-view');
    expect(begun?.prePrepares.map((one) => one.digest)).toEqual([
      nullBatch.digest,
      cluster.saidOf('pre-prepare', 0).find((one) => one.sequence === 2)?.digest,
    ]);
    expect(cluster.at(1).history).toEqual(['d#1', 'c#1']);
  });

  it('a batch that the new view orders and a replica lacks is fetched by its digest', () => {
    const cluster = new Scenario();
    cluster.lose((_, to, message) => to === 3 || isVote(message, 'commit'));
    cluster.ask(ask('c', 1), 0, 1, 2);
    cluster.until(
      'prepared',
      () => cluster.at(1).replica.lastPrepared === 1 && cluster.at(2).replica.lastPrepared === 1,
    );
    cluster.kill(0);
    cluster.lose();
    cluster.until('3 has voted for it', () => cluster.saidOf('commit', 3).length > 0);
    expect(cluster.saidOf('prepare', 3)).toMatchObject([{ view: 1, sequence: 1 }]);
  });

  it('a request that one replica alone knows of is executed, though the primary never answers', () => {
    const cluster = new Scenario();
    cluster.kill(0);
    cluster.ask(ask('c', 1), 3);
    cluster.untilExecuted('c#1');
    expect(cluster.at(1).replica.view).toBe(1);
  });

  it.each([4, 5, 6, 7])('f primaries of %d that are dead, one after the other, cost time and nothing else', (n) => {
    const cluster = new Scenario({ n });
    const f = Math.floor((n - 1) / 3);
    for (let dead = 0; dead < f; dead++) cluster.kill(dead);
    cluster.ask(ask('c', 1));
    cluster.untilExecuted('c#1');
    expect(cluster.at(n - 1).replica.view).toBe(f);
  });

  it('a replica that missed the NEW-VIEW is told it again, and votes', () => {
    const cluster = new Scenario();
    cluster.lose((_, to, message) => to === 3 && message?.kind === 'new-view');
    cluster.kill(0);
    cluster.ask(ask('c', 1));
    cluster.until('the view begins', () => cluster.saidOf('new-view').length > 0);
    cluster.lose();
    cluster.untilExecuted('c#1'); // it takes the votes of all three
  });

  it('with messages slower than the timers, doubling makes the time that it takes', () => {
    const cluster = new Scenario({ delay: 60, requestTimeoutTicks: 5, viewChangeTimeoutTicks: 5, resendTicks: 5 });
    cluster.kill(0);
    cluster.ask(ask('c', 1));
    cluster.until('executed', () => [1, 2, 3].every((one) => cluster.at(one).history.includes('c#1')), 3000);
  });

  it.each([4, 7])('a cluster of %d that is slower than the timers settles in a view, and stays there', (n) => {
    const cluster = new Scenario({ n, delay: 40 }); // three of these, one after the other, take longer than the request time-out
    const viewAfter = (first: number, last: number): number => {
      for (let timestamp = first; timestamp <= last; timestamp++) {
        cluster.ask(ask('c', timestamp));
        cluster.until('executed', () => cluster.all.every(({ history }) => history.includes(`c#${timestamp}`)), 1000);
      }
      return cluster.at(0).replica.view;
    };
    const settled = viewAfter(1, 12);
    expect(settled).toBeGreaterThan(0);
    expect(viewAfter(13, 40)).toBe(settled);
  });

  it('a Byzantine primary that sends NEW-VIEWs of its own making gets nobody to forget what has prepared', () => {
    const cluster = new Scenario({ byzantine: [1] });
    // Nor does 3 hand over what it has executed.
    cluster.lose((from, to, message) => (isVote(message, 'commit') && to !== 3) || (!message && from === 3));
    cluster.ask(ask('c', 1));
    cluster.until('executed at 3', () => cluster.at(3).replica.lastPrepared === 1);
    cluster.kill(0);
    cluster.ask(ask('d', 1));
    cluster.until('2 and 3 ask', () => cluster.saidOf('view-change').length >= 2);
    cluster.lose();
    const heard = cluster.saidOf('view-change').filter(({ view: asked }) => asked === 1);
    const forgetful = { ...newViewFrom([...heard, viewChange(1, 1), heard[0]!]), prePrepares: [] };
    for (const to of [2, 3]) cluster.send(to, forgetful);
    cluster.until('they ask for the next', () => cluster.saidOf('view-change').some((one) => one.view === 2));
    cluster.revive(0);
    cluster.untilExecuted('c#1', 'd#1');
    expect(cluster.at(2).history).toEqual(['c#1', 'd#1']);
  });
});
