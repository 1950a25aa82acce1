import { describe, expect, it } from '@jest/globals';
import type { PhaseMessage } from '../../src/pbft/messages.js';
import { CheckedReplica, executed, replies, votes } from '../support/checked-replica.js';
import {
  ask,
  batch,
  bundle,
  certificate,
  commit,
  prepare,
  prePrepare,
  proposal,
  request,
} from '../support/core-messages.js';
import { forEachSeed, permutations } from '../support/seeds.js';

/** Everything that replica 1 of 4 gets of the instance at `place`. */
function instance(place: number): PhaseMessage[] {
  const about = proposal(place);
  return [about, prepare(2, about), prepare(3, about), commit(0, about), commit(2, about), commit(3, about)];
}

/** "Each replica i executes the operation requested by m after committed-local is true and i's state reflects the
 * sequential execution of all requests with lower sequence numbers" (OSDI '99 §4.2). */
describe('execution (OSDI §4.2)', () => {
  it('waits for everything with a lower sequence number', () => {
    const replica = new CheckedReplica();
    expect(executed(replica.receive(...instance(2), ...instance(4)))).toEqual([]);
    expect(replica.core.isCommitted(proposal(2).sequence)).toBe(true);
    expect(executed(replica.receive(...instance(1)))).toEqual([1, 2]);
    expect(executed(replica.receive(...instance(3)))).toEqual([3, 4]);
    expect(replica.application.history).toEqual(['client-1#1', 'client-1#2', 'client-1#3', 'client-1#4']);
  });

  it('is in sequence order, in whatever order batches commit', () => {
    for (const order of permutations([1, 2, 3, 4])) {
      const replica = new CheckedReplica();
      const places = order.flatMap((place) => executed(replica.receive(...instance(place))));
      expect(places).toEqual([1, 2, 3, 4]);
    }
  });

  it('is in sequence order, however the votes of several instances are mixed', () => {
    const orderly = new CheckedReplica();
    orderly.receive(...[1, 2, 3, 4, 5].flatMap(instance));
    forEachSeed(100, (random) => {
      const replica = new CheckedReplica();
      const effects = replica.receive(...random.shuffled([1, 2, 3, 4, 5].flatMap(instance)));
      expect(executed(effects)).toEqual([1, 2, 3, 4, 5]);
      expect(votes(effects)).toHaveLength(10);
      expect(replica.summary).toEqual(orderly.summary);
    });
  });

  it('is in order with batches that a peer has handed over, too', () => {
    const replica = new CheckedReplica();
    replica.step({ kind: 'certificate', certificate: certificate(proposal(3)) });
    replica.receive(...instance(2));
    expect(replica.core.lastExecuted).toBe(0);
    expect(executed(replica.step({ kind: 'certificate', certificate: certificate(proposal(1)) }))).toEqual([1, 2, 3]);
  });

  it('takes the requests of a batch in the order in which they stand there', () => {
    const replica = new CheckedReplica();
    const content = batch([
      bundle([request('a', 1), request('b', 1), request('a', 2)]),
      bundle([request('a', 3), request('c', 1)], { gateway: 'gateway-2' }),
    ]);
    const about = prePrepare(1, content);
    const effects = replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(replica.application.history).toEqual(['a#1', 'b#1', 'a#2', 'a#3', 'c#1']);
    const answers = replies(effects);
    const leaves = effects.flatMap((effect) => (effect.kind === 'reply' ? [effect.replies.leaves] : []))[0] ?? [];
    expect(answers.map(({ gateway }) => gateway)).toEqual(['gateway-1', 'gateway-2']);
    expect(
      answers.map(({ items }) => items.map(({ client, timestamp, index }) => [`${client}#${timestamp}`, index])),
    ).toEqual([
      [
        ['a#1', 0],
        ['b#1', 1],
        ['a#2', 2],
      ],
      [
        ['a#3', 3],
        ['c#1', 4],
      ],
    ]);
    expect(answers[0]?.statement).toMatchObject({ view: 0, sequence: 1, size: leaves.length });
    expect(leaves.map(({ requestDigest }) => requestDigest)).toEqual(
      content.bundles.flatMap(({ requests }) => requests.map(({ digest }) => digest)),
    );
  });

  it('leaves the same state at everybody, and says so in the same replies', () => {
    const bundles = [1, 2, 3].map((timestamp) => ask('client-1', timestamp));
    const [one, two] = [new CheckedReplica({ self: 1 }), new CheckedReplica({ self: 2 })];
    const about = prePrepare(1, batch(bundles));
    const [left, right] = [one, two].map((replica) =>
      replica.step({ kind: 'certificate', certificate: certificate(about, [0, 1, 3]) }),
    );
    expect(replies(left ?? [])).toEqual(replies(right ?? []));
    expect(one.summary).toEqual(two.summary);
  });
});
