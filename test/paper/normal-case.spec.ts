import { describe, expect, it } from '@jest/globals';
import type { PrePrepare } from '../../src/pbft/messages.js';
import { digest } from '../../src/pbft/types.js';
import { CheckedReplica, evidence, executed, refusals, sent, sentKinds, votes } from '../support/checked-replica.js';
import { ask, batch, commit, prepare, prePrepare, proposal } from '../support/core-messages.js';
import { inView } from '../support/in-view.js';

/** OSDI '99 §4.2. Replica 0 is the primary of view 0. */
describe('the normal case (OSDI §4.2)', () => {
  describe('pre-prepare', () => {
    it('the primary gives a request a sequence number and multicasts it with the request', () => {
      const primary = new CheckedReplica({ self: 0 });
      const bundle = ask('client-1', 1);
      const [message, ...rest] = sent(primary.submit(bundle)) as PrePrepare[];
      expect(rest).toEqual([]);
      expect(message).toMatchObject({ kind: 'pre-prepare', view: 0, sequence: 1, replica: 0 });
      expect(message?.batch).toMatchObject({ view: 0, bundles: [bundle], digest: message?.digest });
    });

    it('sequence numbers follow one another', () => {
      const primary = new CheckedReplica({ self: 0 });
      const places = [1, 2, 3].flatMap((timestamp) => sent(primary.submit(ask('client-1', timestamp))));
      expect(places).toMatchObject([{ sequence: 1 }, { sequence: 2 }, { sequence: 3 }]);
    });

    it('a backup orders nothing', () => {
      const backup = new CheckedReplica({ self: 1 });
      expect(sent(backup.submit(ask('client-1', 1)))).toEqual([]);
      expect(sent(backup.ticks(3))).toEqual([]);
    });

    it('a backup accepts it, and enters the prepare phase', () => {
      const backup = new CheckedReplica({ self: 1 });
      const message = proposal(1);
      const effects = backup.receive(message);
      expect(sent(effects)).toEqual([prepare(1, message)]);
      expect(refusals(effects)).toEqual([]);
    });

    it.each([
      { why: 'it is from a backup', message: { ...proposal(1), replica: 2 }, reason: 'not-primary' },
      { why: 'it is of another view', message: { ...proposal(1), view: 1 }, reason: 'future-view' },
      {
        why: 'its digest is not that of the batch',
        message: prePrepare(1, batch([ask('client-1', 1)]), { digest: digest('another') }),
        reason: 'digest-mismatch',
      },
      {
        why: 'the batch is said to have been proposed in another view',
        message: prePrepare(1, batch([ask('client-1', 1)], { view: 3 })),
        reason: 'batch-view-mismatch',
      },
      { why: 'there is nothing in it', message: prePrepare(1, batch([])), reason: 'empty-batch' },
    ])('a backup refuses it when $why', ({ message, reason }) => {
      const backup = new CheckedReplica({ self: 1 });
      const effects = backup.receive(message as PrePrepare);
      expect(effects).toEqual([{ kind: 'refused', reason, replica: message.replica }]);
      // What was refused stands in nobody's way.
      expect(sentKinds(backup.receive(proposal(1)))).toEqual(['prepare']);
    });

    it('a backup refuses another batch at the same view and sequence number, and has proof against the primary', () => {
      const backup = new CheckedReplica({ self: 1 });
      const [first, second] = [proposal(1, 'client-1'), proposal(1, 'client-2')];
      backup.receive(first);
      const effects = backup.receive(second);
      expect(refusals(effects)).toEqual(['conflicting-vote']);
      expect(evidence(effects)).toEqual([{ kind: 'evidence', first, second }]);
      expect(votes(effects)).toEqual([]);
      expect(votes(backup.receive(prepare(2, second), prepare(3, second)))).toEqual([]);
    });
  });

  describe('prepare and commit', () => {
    it('with q−1 PREPAREs a backup sends COMMIT; with q COMMITs it executes', () => {
      const backup = new CheckedReplica({ self: 1 });
      const message = proposal(1);
      backup.receive(message);
      expect(sent(backup.receive(prepare(2, message)))).toEqual([commit(1, message)]);
      expect(executed(backup.receive(commit(0, message)))).toEqual([]);
      expect(executed(backup.receive(commit(3, message)))).toEqual([1]);
      expect(backup.application.history).toEqual(['client-1#1']);
    });

    it('the primary sends no PREPARE, and COMMIT with q−1 of the backups', () => {
      const primary = new CheckedReplica({ self: 0 });
      const [message] = sent(primary.submit(ask('client-1', 1))) as [PrePrepare];
      expect(sent(primary.receive(prepare(1, message)))).toEqual([]);
      expect(sent(primary.receive(prepare(2, message)))).toEqual([commit(0, message)]);
      expect(executed(primary.receive(commit(1, message), commit(2, message)))).toEqual([1]);
    });

    it('a PREPARE of the primary is refused, and does not count', () => {
      const backup = new CheckedReplica({ self: 1 });
      const message = proposal(1);
      backup.receive(message);
      const effects = backup.receive(prepare(0, message));
      expect(effects).toEqual([{ kind: 'refused', reason: 'vote-from-primary', replica: 0 }]);
    });

    it('a PREPARE of the primary is refused before its signature is looked at', () => {
      const { core } = new CheckedReplica({ self: 1 });
      expect(core.screen(prepare(0, proposal(1)))).toBe('vote-from-primary');
      expect(core.screen({ ...proposal(1), replica: prepare(2, proposal(1)).replica })).toBe('not-primary');
      expect(core.screen(prepare(2, proposal(1)))).toBeUndefined();
    });

    it.each(['prepare', 'commit'] as const)('a %s of another view does not count', (kind) => {
      const backup = new CheckedReplica({ self: 1 });
      const message = proposal(1);
      const other = { ...message, view: prePrepare(1, batch([]), { view: 1 }).view };
      backup.receive(message);
      if (kind === 'commit') backup.receive(prepare(2, message), prepare(3, message), commit(0, message));
      const vote = kind === 'prepare' ? prepare(2, other) : commit(3, other);
      expect(backup.receive(vote)).toEqual([{ kind: 'refused', reason: 'future-view', replica: vote.replica }]);
    });
  });

  describe('in a later view', () => {
    it('what belongs to an earlier one is refused', () => {
      const replica = inView(1, { self: 2 });
      const old = proposal(1);
      for (const message of [old, prepare(3, old), commit(3, old)]) {
        expect(replica.receive(message)).toEqual([{ kind: 'refused', reason: 'old-view', replica: message.replica }]);
        expect(replica.core.screen(message)).toBe('old-view');
      }
    });

    it('another replica is the primary', () => {
      const replica = inView(1, { self: 2 });
      const content = batch([ask('client-1', 1)], { view: 1 });
      const usurped = prePrepare(1, content, { view: 1, replica: 0 });
      expect(refusals(replica.receive(usurped))).toEqual(['not-primary']);
      const message = prePrepare(1, content, { view: 1, replica: 1 });
      expect(sent(replica.receive(message))).toEqual([prepare(2, message)]);
      expect(refusals(replica.receive(prepare(1, message)))).toEqual(['vote-from-primary']);
      expect(sent(replica.receive(prepare(0, message)))).toEqual([commit(2, message)]);
    });
  });
});
