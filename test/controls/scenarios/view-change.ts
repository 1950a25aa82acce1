import type { NewView, ViewChange } from '../../../src/pbft/messages.js';
import { Scenario } from '../../support/directed/scenario.js';
import {
  ask,
  batch,
  checkpoint,
  clockStart,
  commit,
  nullBatch,
  prepare,
  prePrepare,
  proposal,
} from '../../support/core-messages.js';
import { certified, newViewFrom, viewChange } from '../../support/view-messages.js';
import { isVote, must, newViewOf, tell, viewChangeOf } from './kit.js';

/**
 * Replica 1, Byzantine, becomes the primary after replica 3 alone has executed c#1, which 0 has prepared as well, and 2 only
 * where it is said. What it begins the view with is up to the scenario; where that orders nothing, it proposes something else at 1.
 */
function forget(hasPrepared: boolean, begin: (own: ViewChange, two: ViewChange, three: ViewChange) => NewView): void {
  const cluster = new Scenario({ byzantine: [1] });
  cluster.lose((from, to, message) => {
    const isHidden = isVote(message, 0, 'commit') || (!hasPrepared && isVote(message, 0, 'prepare') && to === 2);
    return (isHidden && to !== 3) || (message === undefined && from === 3); // nor does 3 hand over what it has executed
  });
  cluster.ask(ask('c', 1));
  cluster.until('0 and 3 have prepared', () => [0, 3].every((one) => cluster.at(one).replica.lastPrepared === 1));
  tell(cluster, [3], commit(1, cluster.saidOf('pre-prepare')[0]!));
  cluster.until('executed at 3', () => cluster.at(3).replica.lastExecuted === 1);
  cluster.kill(0);
  cluster.ask(ask('d', 1));
  const newView = begin(viewChange(1, 1), viewChangeOf(cluster, 2, 1), viewChangeOf(cluster, 3, 1));
  tell(cluster, [2, 3], newView);
  cluster.ticks(1);
  const x = batch([ask('x', 1)], { view: 1, time: clockStart + 1000 });
  const other = newView.prePrepares[0] ?? prePrepare(1, x, { view: 1, replica: 1 });
  tell(cluster, [2, 3], ...(newView.prePrepares.length > 0 ? [] : [other]), commit(1, other));
  cluster.ticks(3);
  cluster.lose();
  cluster.revive(0);
  cluster.untilExecuted('c#1', 'd#1');
}

/** Replica 1, Byzantine, shows a certificate of view 1 with no PREPAREs for the null batch, where 3 has executed c#1. */
function forgeCertificate(): void {
  const cluster = new Scenario({ byzantine: [1] });
  cluster.lose(
    (from, to, message) => (isVote(message, 0, 'commit') && to !== 3) || (message === undefined && from === 3),
  );
  cluster.ask(ask('c', 1));
  cluster.until('executed at 3', () => cluster.at(3).replica.lastExecuted === 1);
  cluster.kill(0);
  cluster.ask(ask('d', 1));
  tell(cluster, [2, 3], viewChange(1, 1));
  viewChangeOf(cluster, 2, 2);
  viewChangeOf(cluster, 3, 2);
  const forged = certified(prePrepare(1, nullBatch, { view: 1, replica: 1 }), []);
  tell(cluster, [2, 3], viewChange(1, 2, { prepared: [forged] }));
  cluster.ticks(2);
  const other = prePrepare(1, nullBatch, { view: 2, replica: 2 });
  tell(cluster, [2, 3], prepare(1, other), commit(1, other));
  cluster.ticks(2);
  cluster.lose();
  cluster.revive(0);
  cluster.untilExecuted('c#1', 'd#1');
}

/**
 * At 1 replica 3 has prepared a batch in view 0, unseen by the others, who have prepared another one in view 1, which 0
 * has executed. Replica 2, Byzantine, begins view 2 and shows the certificate of view 0 first.
 */
function twoCertificates(): void {
  const cluster = new Scenario({ byzantine: [2] });
  cluster.lose((_, to, message) => isVote(message, 0, 'commit') || (isVote(message, 0, 'prepare') && to !== 3));
  cluster.ask(ask('c', 1));
  cluster.until('prepared at 3', () => cluster.at(3).replica.lastPrepared === 1);
  cluster.lose((from, to, message) => {
    const isTo1 = to === 1 && (isVote(message, 1, 'commit') || (message === undefined && from === 0));
    return from === 3 || to === 3 || isVote(message, 0, 'prepare', 'commit') || isTo1;
  });
  tell(cluster, [0, 1], viewChange(2, 1));
  newViewOf(cluster, 1);
  cluster.until('proposed again', () => cluster.saidOf('pre-prepare', 1).length > 0);
  const again = cluster.saidOf('pre-prepare', 1)[0]!;
  tell(cluster, [0, 1], prepare(2, again), commit(2, again));
  cluster.until('executed at 0', () => cluster.at(0).replica.lastExecuted === 1);
  cluster.kill(0);
  cluster.lose((_, __, message) => message?.kind !== 'view-change');
  tell(cluster, [1, 3], viewChange(2, 2));
  const told = [viewChangeOf(cluster, 3, 2), viewChangeOf(cluster, 1, 2), viewChange(2, 2)];
  cluster.lose();
  const begun = newViewFrom(told);
  tell(cluster, [1, 3], begun);
  for (const ordered of begun.prePrepares) tell(cluster, [1, 3], prepare(2, ordered), commit(2, ordered));
  cluster.ticks(3);
  cluster.revive(0);
  cluster.untilExecuted('c#1');
}

/**
 * Checkpoint 4 is stable at replica 1, and nothing that was agreed below it is in its log any more; 3 knows nothing of it.
 * Replica 1 begins view 1 with the VIEW-CHANGEs of 3 and of 0, which is Byzantine.
 */
function twoCheckpoints(): void {
  const cluster = new Scenario({ byzantine: [0] });
  cluster.lose((from, to) => from === 3 || to === 3);
  for (const place of [1, 2, 3, 4]) tell(cluster, [1, 2], proposal(place, 'a'), commit(0, proposal(place, 'a')));
  cluster.until('1 and 2 have executed', () => [1, 2].every((one) => cluster.at(one).replica.lastExecuted === 4));
  tell(cluster, [1], checkpoint(0, 4, cluster.saidOf('checkpoint', 1)[0]!.digest));
  cluster.until('stable at 1', () => cluster.at(1).replica.stable.sequence === 4);
  tell(cluster, [1, 2], proposal(5, 'a'));
  cluster.until('prepared at 1', () => cluster.at(1).replica.lastPrepared === 5);
  cluster.lose((from, _, message) => message === undefined || (from === 2 && message.kind === 'view-change'));
  tell(cluster, [1, 3], viewChange(0, 1), proposal(6, 'a'), proposal(6, 'b'));
  const { viewChanges: told, prePrepares } = newViewOf(cluster, 1);
  must(
    '0, 1 and 3 have asked for view 1',
    told.every(({ replica }) => replica !== 2),
  );
  must(
    'a view orders nothing below a stable checkpoint',
    prePrepares.every(({ sequence }) => sequence > 4),
  );
  cluster.lose();
  cluster.untilExecuted('a#4', 'a#5');
}

export const viewChanges = {
  'a new primary that forgets what has prepared, with nothing to show for it': () => {
    forget(true, (own) => newViewFrom([own]));
  },
  'a new primary that forgets what the VIEW-CHANGEs show': () => {
    const nothing = prePrepare(1, nullBatch, { view: 1, replica: 1 });
    forget(true, (...all) => ({ ...newViewFrom(all), prePrepares: [nothing] }));
  },
  'a new primary that asks too few': () => {
    forget(false, (own, two) => newViewFrom([own, two]));
  },
  'a certificate that nobody has prepared': forgeCertificate,
  'two certificates for one sequence number': twoCertificates,
  'two checkpoints, and a batch above the higher one': twoCheckpoints,

  'a batch that one replica alone has prepared': () => {
    const cluster = new Scenario();
    cluster.lose((_, to, message) => isVote(message, 0, 'commit') || (isVote(message, 0, 'prepare') && to !== 2));
    cluster.ask(ask('c', 1));
    cluster.until('prepared at 2', () => cluster.at(2).replica.lastPrepared === 1);
    cluster.kill(0);
    cluster.untilExecuted('c#1');
  },

  'a gap before a prepared batch': () => {
    const cluster = new Scenario();
    cluster.lose(
      (_, __, message) => isVote(message, 0, 'prepare') && message?.kind === 'prepare' && message.sequence === 1,
    );
    cluster.ask(ask('c', 1));
    cluster.ask(ask('d', 1));
    cluster.until('both are proposed', () => cluster.saidOf('pre-prepare').length >= 2);
    cluster.ticks(2);
    cluster.kill(0);
    cluster.untilExecuted('c#1', 'd#1');
  },

  'a NEW-VIEW that comes after the next view was asked for': () => {
    const cluster = new Scenario();
    cluster.lose((_, to, message) => to === 3 && message?.kind === 'new-view');
    cluster.kill(0);
    cluster.ask(ask('c', 1));
    const late = newViewOf(cluster, 1);
    cluster.revive(0);
    cluster.lose((_, to, message) => to === 3 && message !== late);
    viewChangeOf(cluster, 3, 2);
    cluster.until('view 1 works without 3', () => cluster.at(2).history.includes('c#1'));
    cluster.send(3, late);
    cluster.ticks(1);
    cluster.lose();
    cluster.ask(ask('d', 1));
    cluster.untilExecuted('c#1', 'd#1');
  },

  'more views that fail than there are replicas': () => {
    const cluster = new Scenario();
    cluster.lose((_, __, message) => message?.kind === 'new-view' || isVote(message, 0, 'prepare'));
    cluster.ask(ask('c', 1));
    cluster.until('a whole round has failed', () => cluster.saidOf('view-change').length >= 24, 2000);
    cluster.until('whoever asks now is heard', () => cluster.all.every(({ replica }) => replica.view > 4), 4000);
    cluster.lose();
    cluster.untilExecuted('c#1');
  },

  'one replica that asks for a view far off': () => {
    const cluster = new Scenario({ byzantine: [3] });
    tell(cluster, [0, 1, 2], viewChange(3, 1_000_000));
    cluster.ticks(3);
    must(
      'one replica alone moves nobody',
      cluster.all.every(({ replica }) => replica.view === 0),
    );
    cluster.ask(ask('c', 1));
    cluster.untilExecuted('c#1');
  },

  'messages that take longer than the timers': () => {
    const cluster = new Scenario({ delay: 60, requestTimeoutTicks: 5, viewChangeTimeoutTicks: 5, resendTicks: 5 });
    cluster.kill(0);
    cluster.ask(ask('c', 1));
    cluster.until('executed', () => [1, 2, 3].every((one) => cluster.at(one).history.includes('c#1')), 3000);
  },
};
