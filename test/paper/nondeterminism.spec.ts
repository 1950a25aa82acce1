import { describe, expect, it } from '@jest/globals';
import { limits } from '../../src/pbft/configuration.js';
import type { PrePrepare } from '../../src/pbft/messages.js';
import { CheckedReplica, refusals, votes } from '../support/checked-replica.js';
import { ask, batch, certificate, clockStart, commit, prepare, prePrepare } from '../support/core-messages.js';

/** A proposal at `place` with this time. */
function timed(place: number, time: number): PrePrepare {
  return prePrepare(place, batch([ask('c', place)], { time }));
}

const tolerance = limits.clockToleranceMs;

/** OSDI '99 §4.6: values that replicas would choose differently are proposed by the primary and checked by the backups. */
describe('agreed time (OSDI §4.6)', () => {
  it('is proposed by the primary, from its own clock', () => {
    const primary = new CheckedReplica({ self: 0 });
    primary.tick(clockStart + 5);
    expect(votes(primary.submit(ask('c', 1)))).toMatchObject([{ batch: { time: clockStart + 5 } }]);
  });

  it('is what the state machine sees, the same everywhere', () => {
    const times = [0, 10_000].map((lag) => {
      const replica = new CheckedReplica();
      replica.tick(clockStart + 20_000 - lag);
      replica.step({ kind: 'certificate', certificate: certificate(timed(1, clockStart + 7)) });
      return replica.application.executions[0]?.time;
    });
    expect(times).toEqual([clockStart + 7, clockStart + 7]);
  });

  it.each([
    { offset: tolerance, isAccepted: true },
    { offset: tolerance + 1, isAccepted: false },
    { offset: -tolerance, isAccepted: true },
    { offset: -tolerance - 1, isAccepted: false },
  ])("may differ from a backup's clock by $offset ms: $isAccepted", ({ offset, isAccepted }) => {
    const backup = new CheckedReplica();
    const effects = backup.receive(timed(1, clockStart + offset));
    expect(refusals(effects)).toEqual(isAccepted ? [] : ['time-out-of-bounds']);
    expect(votes(effects)).toHaveLength(isAccepted ? 1 : 0);
  });

  it('does not go back behind the batch before, whether it is executed or on its way', () => {
    const backup = new CheckedReplica();
    const first = timed(1, clockStart + 10);
    backup.receive(first);
    expect(refusals(backup.receive(timed(2, clockStart + 9)))).toEqual(['time-out-of-bounds']);
    backup.receive(prepare(2, first), commit(0, first), commit(2, first));
    expect(backup.core.lastExecuted).toBe(1);
    expect(refusals(backup.receive(timed(2, clockStart + 9)))).toEqual(['time-out-of-bounds']);
    expect(refusals(backup.receive(timed(3, clockStart + 9)))).toEqual(['time-out-of-bounds']);
    expect(refusals(backup.receive(timed(2, clockStart + 10)))).toEqual([]);
  });

  it('a clock that goes back takes the proposals of its primary back to nowhere before the last', () => {
    const primary = new CheckedReplica({ self: 0 });
    primary.tick(clockStart + 100);
    primary.tick(clockStart + 60);
    const [first] = votes(primary.submit(ask('c', 1)));
    primary.tick(clockStart + 40);
    const [second] = votes(primary.submit(ask('c', 2)));
    expect([first, second]).toMatchObject([{ batch: { time: clockStart + 60 } }, { batch: { time: clockStart + 60 } }]);
  });

  it('a clock that was far ahead for a moment is right again when it is set right', () => {
    const backup = new CheckedReplica();
    backup.tick(clockStart + 3_600_000);
    expect(refusals(backup.receive(timed(1, clockStart + 100)))).toEqual(['time-out-of-bounds']);
    backup.tick(clockStart + 100);
    expect(refusals(backup.receive(timed(1, clockStart + 100)))).toEqual([]);
  });

  it('a primary whose clock lags behind the agreed time goes on from there', () => {
    const primary = new CheckedReplica({ self: 0 });
    primary.step({ kind: 'certificate', certificate: certificate(timed(1, clockStart + 100)) });
    expect(votes(primary.submit(ask('c', 2)))).toMatchObject([{ sequence: 2, batch: { time: clockStart + 100 } }]);
  });

  it('a primary whose clock lags further behind it than backups bear says nothing, and goes on living', () => {
    const primary = new CheckedReplica({ self: 0 });
    const ahead = timed(1, clockStart + tolerance + 1);
    primary.step({ kind: 'certificate', certificate: certificate(ahead) });
    expect(primary.application.history).toEqual(['c#1']);
    expect(() => primary.submit(ask('c', 2))).not.toThrow();
    expect(() => primary.ticks(3)).not.toThrow();
  });

  it('never goes back for the state machine, even if batches out of order were agreed', () => {
    const replica = new CheckedReplica();
    for (const [index, time] of [50, 20, 60].entries()) {
      const about = timed(index + 1, clockStart + time);
      replica.step({ kind: 'certificate', certificate: certificate(about) });
    }
    const times = replica.application.executions.map(({ time }) => time - clockStart);
    expect(times).toEqual([50, 50, 60]);
  });

  it('stands still for a replica that was never told the time: it proposes nothing', () => {
    const primary = new CheckedReplica({ self: 0, isStarted: false });
    expect(primary.submit(ask('c', 1))).toEqual([]);
    expect(votes(primary.tick())).toMatchObject([{ sequence: 1, batch: { time: clockStart } }]);
  });
});
