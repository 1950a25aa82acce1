import { Scenario } from '../../support/directed/scenario.js';
import { HostLog } from '../../support/directed/host-log.js';
import { ask, checkpoint, commit, proposal } from '../../support/core-messages.js';
import { digest, type Digest } from '../../../src/pbft/types.js';
import { must, tell } from './kit.js';

/** Replica 0, Byzantine, vouches for a checkpoint at 1, which hears of 2's only when it may. */
function vouch(claimed: (real: Digest) => Digest, isTwoHeard: boolean): void {
  const cluster = new Scenario({ byzantine: [0] });
  cluster.lose((from, to, message) => {
    return from === 3 || to === 3 || (!isTwoHeard && from === 2 && message?.kind === 'checkpoint');
  });
  for (const place of [1, 2, 3, 4]) tell(cluster, [1, 2], proposal(place, 'a'), commit(0, proposal(place, 'a')));
  cluster.until('1 and 2 have executed', () => [1, 2].every((one) => cluster.at(one).replica.lastExecuted === 4));
  tell(cluster, [1], checkpoint(0, 4, claimed(cluster.saidOf('checkpoint', 1)[0]!.digest)));
  cluster.ticks(3);
  for (const { replica, index } of cluster.all) {
    const { sequence, proof } = replica.stable;
    const first = proof[0];
    const alike = new Set(proof.filter((one) => one.digest === first?.digest).map((one) => one.replica));
    must(`what is stable at ${index} is what q have vouched for`, sequence === 0 || alike.size >= 3);
  }
  cluster.lose();
  cluster.untilExecuted('a#4');
}

export const recovery = {
  'a checkpoint that too few vouch for': () => {
    vouch((real) => real, false);
  },
  'a checkpoint that one vouches for with another state': () => {
    vouch(() => digest('another state'), true);
  },

  'one request': () => {
    const cluster = new Scenario();
    cluster.ask(ask('a', 1));
    cluster.untilExecuted('a#1');
  },

  'a checkpoint that nobody has heard of': () => {
    const cluster = new Scenario();
    cluster.lose((_, __, message) => message?.kind === 'checkpoint');
    for (const client of ['a', 'b', 'c', 'd']) cluster.ask(ask(client, 1));
    cluster.untilExecuted('a#1', 'b#1', 'c#1', 'd#1');
    cluster.kill(0);
    cluster.ask(ask('e', 1));
    cluster.untilExecuted('e#1');
  },

  'a log that is lost after a COMMIT': () => {
    const cluster = new Scenario();
    cluster.lose((from, to, message) => {
      const isShown = message?.kind === 'view-change' && to === 2; // there it would see again what it has lost
      return isShown || (message?.kind === 'commit' && to !== 3) || (message === undefined && from === 3);
    });
    cluster.ask(ask('a', 1));
    cluster.until('executed at 3', () => cluster.at(3).replica.lastExecuted === 1);
    cluster.kill(2);
    cluster.at(2).log = new HostLog();
    cluster.revive(2);
    cluster.kill(0);
    cluster.ask(ask('b', 1));
    cluster.ticks(30);
    cluster.lose();
    cluster.revive(0);
    cluster.untilExecuted('a#1', 'b#1');
  },
};
