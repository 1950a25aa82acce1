import { describe, expect, it } from '@jest/globals';
import type { Effect } from '../../src/pbft/effects.js';
import type { NewView, PrePrepare, ViewChange } from '../../src/pbft/messages.js';
import { replicaIndex, sequence, view } from '../../src/pbft/types.js';
import { CheckedReplica, refusals, sent, votes } from '../support/checked-replica.js';
import { ask, batch, certificate, nullBatch, prepare, prePrepare, proposal } from '../support/core-messages.js';
import { wantingView1, whereabouts } from '../support/in-view.js';
import { certified, newViewFrom, stableAt, viewChange } from '../support/view-messages.js';

/** "The primary computes O …" (OSDI §4.4). What it computes is seen in its NEW-VIEW. */
describe('a new primary', () => {
  const newViewIn = (effects: readonly Effect[]): NewView =>
    sent(effects).find((message) => message.kind === 'new-view')!;
  const wanting = (): CheckedReplica => wantingView1({ self: 1, checkpointInterval: 4, logSize: 8 });

  /** What replica 1 orders in view 1 out of its own and two others' VIEW-CHANGEs. */
  function begin(...told: readonly ViewChange[]): NewView {
    return newViewIn(wanting().receive(...told));
  }

  const ordered = ({ prePrepares }: NewView) =>
    Object.fromEntries(prePrepares.map(({ sequence: place, digest: hash }) => [place, hash]));

  it('orders nothing where nothing has prepared', () => {
    const message = begin(viewChange(0, 1), viewChange(2, 1));
    expect(new Set(message.viewChanges)).toEqual(new Set([viewChange(0, 1), viewChange(1, 1), viewChange(2, 1)]));
    expect(message.prePrepares).toEqual([]);
  });

  it('orders again what prepared, and the null batch in between', () => {
    const message = begin(
      viewChange(0, 1, { prepared: [certified(proposal(2))] }),
      viewChange(2, 1, { prepared: [certified(proposal(4))] }),
    );
    const [second, fourth] = [proposal(2).digest, proposal(4).digest];
    expect(ordered(message)).toEqual({ 1: nullBatch.digest, 2: second, 3: nullBatch.digest, 4: fourth });
    for (const one of message.prePrepares) expect(one).toMatchObject({ view: 1, replica: 1 });
  });

  it('begins behind the highest stable checkpoint that one of them proves', () => {
    const message = begin(
      viewChange(0, 1, { stable: stableAt(4), prepared: [certified(proposal(5))] }),
      viewChange(2, 1, { prepared: [certified(proposal(3)), certified(proposal(4))] }),
    );
    expect(ordered(message)).toEqual({ 5: proposal(5).digest });
  });

  it('takes the certificate of the highest view for each sequence number', () => {
    const later = prePrepare(1, batch([ask('later', 1)], { view: 3 }), { view: 3, replica: 3 });
    const primary = new CheckedReplica({ self: 1 });
    primary.receive(viewChange(0, 5, { prepared: [certified(later, [0, 2])] }));
    const effects = primary.receive(viewChange(2, 5, { prepared: [certified(proposal(1))] }), viewChange(3, 5));
    expect(ordered(newViewIn(effects))).toEqual({ 1: later.digest });
  });

  it('carries q VIEW-CHANGEs, its own among them', () => {
    const message = begin(viewChange(0, 1), viewChange(2, 1));
    expect(message.viewChanges.map(({ replica }) => replica).sort((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  it('tells its NEW-VIEW again to who still asks for the view', () => {
    const primary = wanting();
    const message = newViewIn(primary.receive(viewChange(0, 1), viewChange(2, 1)));
    expect(sent(primary.receive(viewChange(3, 1)))).toEqual([message]);
  });

  it('proposes behind what was carried over, and nothing before it has all of that', () => {
    const carried = proposal(1, 'known'); // this request waits at the new primary as well, but it lacks the batch
    const primary = new CheckedReplica();
    primary.submit(ask('known', 1), ask('new', 1));
    const effects = primary.receive(viewChange(0, 1, { prepared: [certified(carried, [2, 3])] }), viewChange(2, 1));
    expect(whereabouts(primary)).toBe('in 1'); // f+1 have taken it along
    expect(effects).toContainEqual({ kind: 'fetch-batch', sequence: 1, digest: carried.digest });
    expect(votes(effects)).toEqual([]);
    expect(votes(primary.ticks(3))).toEqual([]);
    const proposed = votes(primary.step({ kind: 'batch', sequence: sequence(1), batch: carried.batch! }));
    expect(proposed).toMatchObject([{ kind: 'pre-prepare', sequence: 2, batch: { bundles: [ask('new', 1)] } }]);
  });
});

/** "A backup accepts a new-view message … if O is correct; it verifies the correctness of O by performing a computation similar to the one used by the primary." */
describe('a NEW-VIEW (OSDI §4.4)', () => {
  const about = proposal(2);
  const told = [viewChange(0, 1, { prepared: [certified(about)] }), viewChange(1, 1), viewChange(3, 1)];
  const good = newViewFrom(told);
  const [first, second] = good.prePrepares as [PrePrepare, PrePrepare];
  const later = viewChange(3, 2);

  it('is entered, and what it orders is prepared', () => {
    const replica = wantingView1();
    const effects = replica.receive(good);
    expect(whereabouts(replica)).toBe('in 1');
    expect(votes(effects)).toEqual([prepare(2, first)]); // the batch of the other is asked for
    expect(effects).toContainEqual({ kind: 'fetch-batch', sequence: 2, digest: about.digest });
    expect(votes(replica.step({ kind: 'batch', sequence: sequence(2), batch: about.batch! }))).toEqual([
      prepare(2, second),
    ]);
  });

  it('is entered from any lower view, asked for or not', () => {
    const replica = new CheckedReplica({ self: 2 });
    replica.receive(good);
    expect(whereabouts(replica)).toBe('in 1');
  });

  it.each<{ what: string; message: NewView }>([
    { what: 'too few VIEW-CHANGEs', message: newViewFrom(told.slice(0, 2)) },
    { what: 'one VIEW-CHANGE twice', message: newViewFrom([told[0]!, told[1]!, told[1]!]) },
    { what: 'a VIEW-CHANGE for another view', message: { ...good, viewChanges: [told[0]!, told[1]!, later] } },
    {
      what: 'a VIEW-CHANGE that proves nothing',
      message: newViewFrom([viewChange(0, 1, { prepared: [certified(about, [1])] }), told[1]!, told[2]!]),
    },
    { what: 'something left out', message: { ...good, prePrepares: [first] } },
    { what: 'everything left out', message: { ...good, prePrepares: [] } },
    {
      what: 'something added',
      message: { ...good, prePrepares: [first, second, { ...first, sequence: sequence(3) }] },
    },
    { what: 'another order', message: { ...good, prePrepares: [second, first] } },
    {
      what: 'the null batch for one that prepared',
      message: { ...good, prePrepares: [first, { ...second, digest: nullBatch.digest }] },
    },
    {
      what: 'a batch where none prepared',
      message: { ...good, prePrepares: [{ ...first, digest: about.digest }, second] },
    },
    { what: 'a PRE-PREPARE of another view', message: { ...good, prePrepares: [first, { ...second, view: view(2) }] } },
    {
      what: 'a PRE-PREPARE of another replica',
      message: { ...good, prePrepares: [first, { ...second, replica: replicaIndex(3) }] },
    },
  ])('with $what is refused, and the next view begins', ({ message }) => {
    const replica = wantingView1();
    const effects = replica.receive(message);
    expect(refusals(effects)).toEqual(['invalid-new-view']);
    expect(sent(effects)).toEqual([viewChange(2, 2)]);
    expect(refusals(replica.receive(good))).toEqual(['old-view']);
  });

  it('of a replica that is not the primary is refused, and blames nobody', () => {
    const replica = wantingView1();
    expect(refusals(replica.receive({ ...good, replica: replicaIndex(3) }))).toEqual(['not-primary']);
    expect(whereabouts(replica)).toBe('wants 1');
  });

  it('for a view far off that is refused moves nobody', () => {
    const replica = new CheckedReplica({ self: 2 });
    const far = { ...newViewFrom([0, 1, 3].map((one) => viewChange(one, 41))), prePrepares: [first] };
    expect(refusals(replica.receive(far))).toEqual(['invalid-new-view']);
    expect(whereabouts(replica)).toBe('in 0');
  });

  it('that orders beyond the window of one who is behind is taken up when the window is there', () => {
    const replica = new CheckedReplica({ self: 2, checkpointInterval: 4, logSize: 4 });
    const batches = [1, 2, 3, 4].map((place) => certificate(proposal(place), [0, 1, 3]));
    const twin = new CheckedReplica({ self: 3, checkpointInterval: 4, logSize: 4 });
    const checkpoints = batches
      .flatMap((one) => sent(twin.step({ kind: 'certificate', certificate: one })))
      .filter((message) => message.kind === 'checkpoint');
    const state = checkpoints[0]!;
    const stable = { sequence: sequence(4), proof: [0, 1, 3].map((one) => ({ ...state, replica: replicaIndex(one) })) };
    const fifth = proposal(5);
    const voters = [0, 1, 3].map((one) => viewChange(one, 1, { stable, prepared: [certified(fifth, [1, 3])] }));
    const message = newViewFrom(voters);
    expect(votes(replica.receive(message))).toEqual([]);
    for (const one of batches) replica.step({ kind: 'certificate', certificate: one });
    replica.receive(...stable.proof);
    expect(replica.core.stable.sequence).toBe(4);
    expect(replica.ticks(4)).toContainEqual({ kind: 'fetch-batch', sequence: 5, digest: fifth.digest });
    expect(votes(replica.step({ kind: 'batch', sequence: sequence(5), batch: fifth.batch! }))).toMatchObject([
      { kind: 'prepare', view: 1, sequence: 5, digest: fifth.digest },
    ]);
  });
});
