import { describe, expect, it } from '@jest/globals';
import { CheckedReplica, executed, refusals, sent, votes } from '../../support/checked-replica.js';
import { ask, certificate, checkpoint, commit, prepare, proposal } from '../../support/core-messages.js';
import type { PhaseMessage, PrePrepare } from '../../../src/pbft/messages.js';

const logSize = 8;
const options = { checkpointInterval: 4, logSize, instancesInFlightMax: logSize };

/** Executes up to `last`, as if handed over by peers; they tell the same checkpoints. */
function executeUpTo(replica: CheckedReplica, last: number, { isStable = true } = {}): void {
  for (let place = replica.core.lastExecuted + 1; place <= last; place++) {
    const effects = replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
    for (const message of sent(effects)) {
      if (message.kind !== 'checkpoint' || !isStable) continue;
      replica.receive(checkpoint(2, message.sequence, message.digest), checkpoint(3, message.sequence, message.digest));
    }
  }
}

function instanceMessages(place: number): PhaseMessage[] {
  return [proposal(place), prepare(2, proposal(place)), commit(2, proposal(place))];
}

/** A replica takes only sequence numbers between a low water mark h and a high water mark H (OSDI '99 §4.2). */
describe('the water marks', () => {
  it('begin at 0, with the log size between them', () => {
    expect(new CheckedReplica(options).core.highWaterMark).toBe(logSize);
  });

  it('let in what is at H, and nothing beyond', () => {
    for (const [index] of instanceMessages(1).entries()) {
      const replica = new CheckedReplica(options);
      const [at, beyond] = [logSize, logSize + 1].map((place) => instanceMessages(place)[index]) as [
        PhaseMessage,
        PhaseMessage,
      ];
      expect(replica.core.screen(at)).toBeUndefined();
      expect(refusals(replica.receive(at))).toEqual([]);
      expect(replica.core.screen(beyond)).toBe('outside-window');
      expect(replica.receive(beyond)).toEqual([{ kind: 'refused', reason: 'outside-window', replica: beyond.replica }]);
    }
  });

  it('let in nothing at or below h', () => {
    const replica = new CheckedReplica(options);
    executeUpTo(replica, 4);
    const h = replica.core.highWaterMark - logSize;
    expect(h).toBe(4);
    for (const message of [...instanceMessages(0), ...instanceMessages(h)]) {
      expect(replica.core.screen(message)).toBe('already-executed');
      expect(replica.receive(message)).toEqual([
        { kind: 'refused', reason: 'already-executed', replica: message.replica },
      ]);
    }
    expect(refusals(replica.receive(...instanceMessages(h + 1)))).toEqual([]);
  });

  it('let in no faraway sequence number, however far', () => {
    const replica = new CheckedReplica(options);
    for (const place of [logSize + 2, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      expect(refusals(replica.receive(...instanceMessages(place)))).toEqual(Array(3).fill('outside-window'));
    }
  });

  it('move with a stable checkpoint', () => {
    const replica = new CheckedReplica(options);
    executeUpTo(replica, 4, { isStable: false });
    expect(replica.core.highWaterMark).toBe(logSize);
    const again = new CheckedReplica(options);
    executeUpTo(again, 4);
    expect(again.core.highWaterMark).toBe(logSize + 4);
    expect(votes(again.receive(proposal(logSize + 4)))).toHaveLength(1);
  });

  it('stop a primary at H, until H moves; then it goes on in order', () => {
    const primary = new CheckedReplica({ ...options, self: 0 });
    const proposed = Array.from({ length: logSize + 4 }, (_, index) =>
      votes(primary.submit(ask('c', index + 1))),
    ).flat();
    expect(proposed.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const effects = proposed.slice(0, 4).flatMap((message) => {
      const after = primary.step({ kind: 'certificate', certificate: certificate(message as PrePrepare) });
      const heard = sent(after).flatMap((own) =>
        own.kind === 'checkpoint' ? [2, 3].map((replica) => checkpoint(replica, own.sequence, own.digest)) : [],
      );
      return [...after, ...primary.receive(...heard)];
    });
    expect(executed(effects)).toEqual([1, 2, 3, 4]);
    const places = votes(effects).map(({ sequence }) => sequence);
    expect(places[0]).toBe(9);
    expect(primary.core.highWaterMark).toBe(12);
  });

  it('do not stop a replica that was away for long from executing what it missed', () => {
    const replica = new CheckedReplica(options);
    executeUpTo(replica, 5 * logSize, { isStable: false });
    expect(replica.core.lastExecuted).toBe(5 * logSize);
  });

  it('do not stop a replica that took part and whose checkpoints nobody answers', () => {
    const replica = new CheckedReplica(options);
    for (let place = 1; place <= 5 * logSize; place++) {
      replica.receive(...instanceMessages(place));
      replica.step({ kind: 'certificate', certificate: certificate(proposal(place)) });
    }
    expect(replica.core.lastExecuted).toBe(5 * logSize);
    expect(replica.core.highWaterMark).toBe(logSize);
  });
});
