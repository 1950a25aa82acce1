import { Scenario } from '../../support/directed/scenario.js';
import { ask, batch, bundle, commit, prepare, prePrepare, proposal, request } from '../../support/core-messages.js';
import { must, tell } from './kit.js';

export const normalCase = {
  'a batch that is not what its PRE-PREPARE says': () => {
    const cluster = new Scenario({ byzantine: [0] });
    const about = proposal(1, 'a');
    tell(cluster, [1, 2], about);
    tell(cluster, [3], prePrepare(1, batch([ask('b', 1)]), { digest: about.digest }));
    tell(cluster, [1, 2, 3], commit(0, about));
    cluster.untilExecuted('a#1');
  },

  'a primary that votes for what it has proposed': () => {
    const cluster = new Scenario({ byzantine: [0] });
    const [one, other] = [proposal(1, 'a'), proposal(1, 'b')];
    tell(cluster, [1], one, prepare(0, one), commit(0, one));
    tell(cluster, [2, 3], other, prepare(0, other), commit(0, other));
    cluster.untilExecuted('b#1');
  },

  'a proposal of a backup': () => {
    const cluster = new Scenario({ byzantine: [3] });
    tell(cluster, [1], prePrepare(1, batch([ask('b', 1)]), { replica: 3 }));
    cluster.ticks(1);
    cluster.ask(ask('a', 1));
    cluster.untilExecuted('a#1');
  },

  'a second proposal for one sequence number': () => {
    const cluster = new Scenario({ byzantine: [0] });
    const [one, other] = [proposal(1, 'a'), proposal(1, 'b')];
    tell(cluster, [1], one, other);
    tell(cluster, [2, 3], other);
    cluster.untilExecuted('b#1');
  },

  'a batch that one too few have committed': () => {
    const cluster = new Scenario();
    cluster.lose((from, to, message) => message?.kind === 'commit' && (from >= 2 || to >= 2));
    cluster.ask(ask('a', 1));
    cluster.until('all have prepared', () => cluster.all.every(({ replica }) => replica.lastPrepared === 1));
    cluster.ticks(2);
    must(
      'nobody executes it',
      cluster.all.every(({ replica }) => replica.lastExecuted === 0),
    );
    cluster.lose();
    cluster.untilExecuted('a#1');
  },

  'a COMMIT that is said twice': () => {
    const cluster = new Scenario({ byzantine: [3] });
    cluster.lose(
      (from, to, message) => (message?.kind === 'commit' && from !== 3) || (message === undefined && to === 1),
    );
    cluster.ask(ask('a', 1), 0, 2);
    cluster.until('prepared at 1', () => cluster.at(1).replica.lastPrepared === 1);
    const again = commit(3, cluster.saidOf('pre-prepare')[0]!);
    tell(cluster, [1], again, again, again);
    cluster.ticks(2);
    must('it is one vote', cluster.at(1).replica.lastExecuted === 0);
    cluster.lose();
    cluster.untilExecuted('a#1');
  },

  'votes for sequence numbers far off': () => {
    const cluster = new Scenario({ byzantine: [3] });
    for (let place = 1; place <= 100; place++) tell(cluster, [0, 1, 2], prepare(3, proposal(place)));
    cluster.ask(ask('a', 1));
    cluster.untilExecuted('a#1');
  },

  'a request that two gateways have sent': () => {
    const cluster = new Scenario();
    cluster.ask(ask('a', 1));
    cluster.untilExecuted('a#1');
    cluster.ask(bundle([request('a', 1), request('b', 1)], { gateway: 'gateway-2' }));
    cluster.untilExecuted('b#1');
  },

  'a batch that is committed before the one below it': () => {
    const cluster = new Scenario();
    const isFirst = (place: number): boolean => place === 1;
    cluster.lose(
      (_, to, message) =>
        to === 3 && (message === undefined || (message.kind === 'commit' && isFirst(message.sequence))),
    );
    cluster.ask(ask('a', 1));
    cluster.ask(ask('b', 1));
    cluster.until('executed by the others', () => cluster.at(1).history.length === 2);
    cluster.ticks(2);
    cluster.lose();
    cluster.untilExecuted('a#1', 'b#1');
  },

  'a later request of a client that is ordered first': () => {
    const cluster = new Scenario();
    cluster.ask(ask('c', 2));
    cluster.untilExecuted('c#2');
    cluster.ask(ask('c', 1));
    cluster.untilExecuted('c#1');
  },
};
