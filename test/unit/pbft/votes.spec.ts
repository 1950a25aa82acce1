import { describe, expect, it } from '@jest/globals';
import type { PhaseMessage } from '../../../src/pbft/messages.js';
import { CheckedReplica, evidence, executed, refusals, sent, votes } from '../../support/checked-replica.js';
import { commit, prepare, proposal } from '../../support/core-messages.js';
import { forEachSeed } from '../../support/seeds.js';

const about = proposal(1);
const other = proposal(1, 'somebody else');

/** One vote for each (kind, view, sequence, signer): the first counts (rule 4). */
describe('a signer that votes twice', () => {
  it('with another PREPARE has the first counted, and is proven faulty', () => {
    const replica = new CheckedReplica();
    replica.receive(about, prepare(2, other));
    const effects = replica.receive(prepare(2, about));
    expect(refusals(effects)).toEqual(['conflicting-vote']);
    expect(evidence(effects)).toEqual([{ kind: 'evidence', first: prepare(2, other), second: prepare(2, about) }]);
    expect(votes(effects)).toEqual([]);
    expect(votes(replica.receive(prepare(3, about)))).toEqual([commit(1, about)]);
  });

  it('with another COMMIT has the first counted, and is proven faulty', () => {
    const replica = new CheckedReplica();
    replica.receive(about, prepare(2, about), commit(2, other), commit(0, about));
    const effects = replica.receive(commit(2, about));
    expect(refusals(effects)).toEqual(['conflicting-vote']);
    expect(evidence(effects)).toEqual([{ kind: 'evidence', first: commit(2, other), second: commit(2, about) }]);
    expect(executed(effects)).toEqual([]);
    expect(executed(replica.receive(commit(3, about)))).toEqual([1]);
  });

  it('keeps the vote that it cast first, whatever it says later', () => {
    const replica = new CheckedReplica();
    replica.receive(about, prepare(2, about), commit(0, about), commit(2, about), commit(2, other));
    expect(replica.core.lastExecuted).toBe(1);
    const early = new CheckedReplica();
    early.receive(prepare(2, about), prepare(2, other));
    expect(sent(early.receive(about))).toEqual([prepare(1, about), commit(1, about)]);
  });

  it('may vote again at another place or in another phase', () => {
    const replica = new CheckedReplica();
    const next = proposal(2);
    expect(evidence(replica.receive(prepare(2, about), prepare(2, next), commit(2, about), commit(2, next)))).toEqual(
      [],
    );
  });
});

describe('a message that comes twice', () => {
  const messages = [about, prepare(2, about), prepare(3, about), commit(0, about), commit(2, about)];

  it.each(messages.map((message, index) => [`${message.kind} ${index}`, message] as const))(
    '(%s) is refused the second time, and changes nothing',
    (_, message) => {
      const replica = new CheckedReplica();
      replica.receive(message);
      const before = replica.summary;
      expect(replica.core.screen(message)).toBe('duplicate');
      expect(replica.receive(message)).toEqual([{ kind: 'refused', reason: 'duplicate', replica: message.replica }]);
      expect(replica.summary).toEqual(before);
    },
  );

  it('does not count twice', () => {
    const replica = new CheckedReplica({ n: 7 });
    replica.receive(about, prepare(2, about), prepare(2, about), prepare(2, about), prepare(2, about));
    expect(replica.core.lastPrepared).toBe(0);
    expect(votes(replica.receive(prepare(3, about), prepare(4, about)))).toEqual([commit(1, about)]);
    replica.receive(...Array.from({ length: 4 }, () => commit(2, about)));
    expect(replica.core.lastExecuted).toBe(0);
    expect(executed(replica.receive(commit(3, about), commit(4, about), commit(5, about)))).toEqual([1]);
  });

  it('leaves everything as it was, however often and in whatever order', () => {
    forEachSeed(200, (random) => {
      const replica = new CheckedReplica();
      const repeated: PhaseMessage[] = messages.flatMap((message) =>
        Array.from({ length: 1 + random.below(3) }, () => message),
      );
      const effects = replica.receive(...random.shuffled(repeated));
      expect(votes(effects)).toEqual([prepare(1, about), commit(1, about)]);
      expect(executed(effects)).toEqual([1]);
      expect(evidence(effects)).toEqual([]);
    });
  });

  it('is refused when its batch is executed, too', () => {
    const replica = new CheckedReplica();
    replica.receive(...messages);
    expect(replica.core.lastExecuted).toBe(1);
    for (const message of [...messages, commit(3, about)]) {
      expect(replica.core.screen(message)).toBeDefined();
      const effects = replica.receive(message);
      expect(sent(effects)).toEqual([]);
      expect(executed(effects)).toEqual([]);
    }
    expect(replica.application.history).toEqual(['client-1#1']);
  });
});

describe('what is screened before its signature is looked at', () => {
  it('changes nothing', () => {
    const replica = new CheckedReplica();
    for (const message of [about, prepare(2, about), commit(2, about)]) {
      expect(replica.core.screen(message)).toBeUndefined();
      expect(replica.core.screen(message)).toBeUndefined();
    }
    expect(votes(replica.receive(about))).toEqual([prepare(1, about)]);
  });

  it('are not worth verifying once the batch has prepared without them, unless they are evidence', () => {
    const replica = new CheckedReplica();
    const [about, other] = [proposal(1), proposal(1, 'another')];
    replica.receive(about);
    expect(replica.core.screen(prepare(2, about))).toBeUndefined();
    replica.receive(prepare(2, about));
    expect(replica.core.screen(prepare(3, about))).toBe('not-needed');
    expect(replica.core.screen(prepare(3, other))).toBeUndefined();
    expect(replica.core.screen(commit(3, about))).toBeUndefined();
  });

  it('is let through when it contradicts what is there: a signature makes it evidence', () => {
    const replica = new CheckedReplica();
    replica.receive(about, prepare(2, about));
    expect(replica.core.screen(other)).toBeUndefined();
    expect(replica.core.screen(prepare(2, other))).toBeUndefined();
  });
});
