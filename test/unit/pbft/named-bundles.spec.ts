import { describe, expect, it } from '@jest/globals';
import type { Batch, PrePrepare } from '../../../src/pbft/messages.js';
import { sequence } from '../../../src/pbft/types.js';
import { CheckedReplica, refusals, votes } from '../../support/checked-replica.js';
import {
  ask,
  batch,
  bundle,
  certificate,
  clockStart,
  commit,
  prepare,
  prePrepare,
  proposal,
  request,
} from '../../support/core-messages.js';
import { newViewFrom, viewChange } from '../../support/view-messages.js';

/** A proposal as whoever lacks one of its bundles makes it out. */
const named = (about: PrePrepare): PrePrepare => ({ ...about, batch: undefined });
const comes = (place: number, content: Batch) =>
  ({ kind: 'batch', sequence: sequence(place), batch: content }) as const;

/** A proposal names bundles; who lacks one asks for the batch (rule 31). */
describe('a proposal that names a bundle which a backup lacks', () => {
  const about = proposal(1);
  const wanted = { kind: 'fetch-batch', sequence: 1, digest: about.digest } as const;

  it('binds nobody before its batch has come, which the primary is asked for', () => {
    const backup = new CheckedReplica();
    expect(backup.receive(named(about))).toEqual([{ ...wanted, from: 0 }]);
    expect(backup.core.wantsBatch(sequence(1), about.digest)).toBe(true);
    expect(votes(backup.receive(prepare(2, about), prepare(3, about), commit(0, about), commit(2, about)))).toEqual([]);
    const effects = backup.step(comes(1, about.batch!));
    expect(votes(effects)).toEqual([prepare(1, about), commit(1, about)]);
    expect(effects).toContainEqual({ kind: 'persist', message: about });
    expect(backup.core.lastExecuted).toBe(1);
    expect(backup.core.wantsBatch(sequence(1), about.digest)).toBe(false);
  });

  it('is judged when its batch has come, and leaves nothing behind when it is refused', () => {
    const backup = new CheckedReplica();
    const late = prePrepare(1, batch([ask('c', 1)], { time: clockStart - 3_600_000 }));
    backup.receive(named(late));
    const refused = [{ kind: 'refused', reason: 'time-out-of-bounds', replica: 0 }];
    expect(backup.step(comes(1, late.batch!))).toEqual(refused);
    expect(votes(backup.receive(about))).toEqual([prepare(1, about)]);
  });

  it('is asked for again of others, until it has come or another batch is executed there', () => {
    const backup = new CheckedReplica();
    backup.receive(named(about));
    expect(backup.ticks(4)).toContainEqual(wanted);
    backup.step({ kind: 'certificate', certificate: certificate(about) });
    expect(backup.core.lastExecuted).toBe(1);
    expect(backup.ticks(8)).not.toContainEqual(wanted);
  });

  it('counts as the first of two: the second is evidence against the primary', () => {
    const backup = new CheckedReplica();
    const other = proposal(1, 'another');
    backup.receive(named(about));
    expect(refusals(backup.receive(named(about)))).toEqual(['duplicate']);
    expect(backup.receive(other)).toContainEqual({ kind: 'evidence', first: named(about), second: other });
    expect(backup.core.view).toBe(1); // proof needs no time-out
  });

  it('takes no batch but that', () => {
    const backup = new CheckedReplica();
    backup.receive(named(about));
    expect(refusals(backup.step(comes(1, proposal(1, 'another').batch!)))).toEqual(['duplicate']);
    expect(refusals(backup.step(comes(2, about.batch!)))).toEqual(['duplicate']);
    expect(votes(backup.step(comes(1, about.batch!)))).toEqual([prepare(1, about)]);
  });

  it('is not asked for where something was executed', () => {
    const backup = new CheckedReplica();
    backup.step({ kind: 'certificate', certificate: certificate(about) });
    expect(refusals(backup.receive(named(about)))).toEqual(['already-executed']);
    expect(backup.core.wantsBatch(sequence(1), about.digest)).toBe(false);
  });

  it('does not make its primary look slow (rule 22)', () => {
    const backup = new CheckedReplica({ requestTimeoutTicks: 4 });
    for (let place = 1; place <= 8; place++) {
      const next = proposal(place, 'c');
      backup.submit(ask('c', place));
      backup.receive(named(next));
      backup.ticks(3);
      backup.step(comes(place, next.batch!));
      backup.receive(prepare(2, next), commit(0, next), commit(2, next));
    }
    expect(backup.core.isChangingView).toBe(false);
    expect(backup.core.lastExecuted).toBe(8);
  });

  it('is taken though a later proposal, judged before, has one of its requests, too', () => {
    const backup = new CheckedReplica();
    const early = prePrepare(1, batch([ask('c', 1)]));
    const late = prePrepare(2, batch([bundle([request('c', 1), request('d', 1)])]));
    backup.receive(named(early));
    expect(votes(backup.receive(late))).toEqual([prepare(1, late)]);
    expect(votes(backup.step(comes(1, early.batch!)))).toEqual([prepare(1, early)]);
  });

  it('is forgotten with its view: the next primary may propose something else there', () => {
    const backup = new CheckedReplica({ self: 2 });
    backup.receive(named(about));
    backup.receive(newViewFrom([viewChange(0, 1), viewChange(1, 1), viewChange(3, 1)]));
    const other = prePrepare(1, batch([ask('d', 1)], { view: 1 }), { view: 1, replica: 1 });
    const effects = backup.receive(other);
    expect(votes(effects)).toEqual([prepare(2, other)]);
    expect(effects).not.toContainEqual(expect.objectContaining({ kind: 'evidence' }));
  });
});
