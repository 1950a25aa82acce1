import { describe, expect, it } from '@jest/globals';
import { CheckedReplica, executed, sent, sentKinds, votes } from '../../support/checked-replica.js';
import { ask, commit, prepare, proposal } from '../../support/core-messages.js';

/** How many ticks pass until something is sent again. */
function ticksUntilSent(replica: CheckedReplica, max = 10_000): number {
  for (let ticks = 1; ticks <= max; ticks++) if (sent(replica.tick()).length > 0) return ticks;
  return Infinity;
}

/** Messages are delivered at most once: what a replica said and what came to nothing is said again (rule 29). */
describe('what is said again', () => {
  const about = proposal(1);

  it('is every own vote in an instance that makes no progress, word for word', () => {
    const backup = new CheckedReplica({ resendTicks: 4 });
    backup.receive(about, prepare(2, about));
    expect(sent(backup.ticks(3))).toEqual([]);
    expect(sent(backup.tick())).toEqual([prepare(1, about), commit(1, about)]);
  });

  it('is the PRE-PREPARE, by the primary that has proposed it', () => {
    const primary = new CheckedReplica({ self: 0, resendTicks: 4 });
    const [message] = votes(primary.submit(ask('c', 1)));
    const again = sent(primary.ticks(8));
    expect(again[0]).toEqual(message);
    expect(new Set(again.map(({ kind }) => kind))).toEqual(new Set(['pre-prepare']));
  });

  it('is nothing of what others have said', () => {
    const backup = new CheckedReplica({ resendTicks: 4 });
    backup.receive(prepare(2, about), commit(2, about), prepare(3, about));
    expect(sent(backup.ticks(200))).toEqual([]);
  });

  it('is nothing once the batch is committed', () => {
    const backup = new CheckedReplica({ resendTicks: 4 });
    const effects = backup.receive(about, prepare(2, about), commit(0, about), commit(2, about));
    expect(executed(effects)).toEqual([1]);
    expect(sent(backup.ticks(200))).toEqual([]);
    const third = proposal(3);
    backup.receive(third, prepare(2, third), commit(0, third), commit(2, third));
    expect(backup.core.isCommitted(third.sequence)).toBe(true); // and waits for the second
    expect(sent(backup.ticks(200))).toEqual([]);
  });

  it('is said more and more rarely, up to 32 times the first wait', () => {
    const backup = new CheckedReplica({ resendTicks: 2 });
    backup.receive(about);
    const waits = Array.from({ length: 8 }, () => ticksUntilSent(backup));
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 64, 64]);
  });

  it('waits for as long again when there is progress', () => {
    const backup = new CheckedReplica({ resendTicks: 4 });
    backup.receive(about);
    backup.ticks(3);
    backup.receive(prepare(2, about));
    expect(ticksUntilSent(backup)).toBe(4);
  });

  it('is of no more than 32 instances in a tick', () => {
    const backup = new CheckedReplica({ logSize: 64, resendTicks: 4 });
    for (let place = 1; place <= 64; place++) backup.receive(proposal(place));
    expect(sentKinds(backup.ticks(4))).toHaveLength(32);
    expect(sentKinds(backup.tick())).toHaveLength(32);
    expect(sent(backup.tick())).toEqual([]);
  });
});
