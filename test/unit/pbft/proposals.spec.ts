import { describe, expect, it } from '@jest/globals';
import { limits } from '../../../src/pbft/configuration.js';
import type { RequestBundle } from '../../../src/pbft/messages.js';
import { CheckedReplica, executed, refusals, sent, votes } from '../../support/checked-replica.js';
import { ask, batch, bundle, certificate, commit, prepare, prePrepare, request } from '../../support/core-messages.js';

/** A proposal with these bundles. */
const proposing = (place: number, ...bundles: readonly RequestBundle[]) => prePrepare(place, batch(bundles));

/** Many requests of one client in bundles of at most 256. */
function many(count: number): RequestBundle[] {
  const requests = Array.from({ length: count }, (_, index) => request('c', index + 1));
  const bundles = [];
  for (let from = 0; from < count; from += limits.bundleOperationsMax) {
    bundles.push(bundle(requests.slice(from, from + limits.bundleOperationsMax)));
  }
  return bundles;
}

/** One request each of so many clients, in two bundles. */
function clients(count: number): RequestBundle[] {
  const requests = Array.from({ length: count }, (_, index) => request(`c${index}`, 1));
  return [bundle(requests.slice(0, 1)), bundle(requests.slice(1))];
}

/** A backup checks a proposal's requests before it prepares, not only when it executes (rule 10). */
describe('a backup prepares no batch', () => {
  it.each([
    { what: 'without requests', message: proposing(1), reason: 'empty-batch' },
    {
      what: 'that holds a bundle twice',
      message: proposing(1, ask('c', 1), ask('c', 1)),
      reason: 'request-out-of-order',
    },
    {
      what: 'that holds a request twice, in two bundles',
      message: proposing(1, ask('c', 1), ask('c', 1, { gateway: 'gateway-2' })),
      reason: 'request-out-of-order',
    },
    {
      what: 'in which a later bundle goes back behind an earlier one of the same client',
      message: proposing(1, ask('c', 2), ask('d', 1), ask('c', 1)),
      reason: 'request-out-of-order',
    },
    {
      what: 'in which a bundle goes back in itself',
      message: proposing(1, bundle([request('c', 2), request('c', 1)])),
      reason: 'request-out-of-order',
    },
    {
      what: 'with a request that may be ordered no more',
      message: proposing(5, ask('c', 1, { lastSequence: 4 })),
      reason: 'expired-request',
    },
    {
      what: 'with a request that may be ordered for longer than any correct gateway asks',
      message: proposing(5, ask('c', 1, { lastSequence: 5 + limits.bundleLifetime })),
      reason: 'expired-request',
    },
    {
      what: 'with more operations than a batch may have',
      message: proposing(1, ...many(limits.batchOperationsMax + 1)),
      reason: 'batch-too-large',
    },
    {
      what: 'with more clients than may join the table at once',
      message: proposing(1, ...clients(limits.batchClientsMax + 1)),
      reason: 'too-many-clients',
    },
    {
      what: 'with more bytes than a batch may have',
      message: proposing(1, ask('c', 1, { size: limits.batchBytesMax }), ask('d', 1, { size: 1 })),
      reason: 'batch-too-large',
    },
  ])('$what', ({ message, reason }) => {
    const backup = new CheckedReplica();
    const effects = backup.receive(message);
    expect(effects).toEqual([{ kind: 'refused', reason, replica: 0 }]);
    const good = proposing(message.sequence, ask('good', 1));
    expect(votes(backup.receive(good))).toEqual([prepare(1, good)]);
  });

  it.each([
    { what: 'at its last sequence number', message: proposing(5, ask('c', 1, { lastSequence: 5 })) },
    { what: 'as large as may be', message: proposing(1, ...many(limits.batchOperationsMax)) },
    { what: 'with as many clients as may be', message: proposing(1, ...clients(limits.batchClientsMax)) },
    { what: 'with as many bytes as may be', message: proposing(1, ask('c', 1, { size: limits.batchBytesMax })) },
    { what: 'with several clients, each in order', message: proposing(1, ask('c', 1), ask('d', 7), ask('c', 2)) },
  ])('but prepares one $what', ({ message }) => {
    expect(votes(new CheckedReplica().receive(message))).toEqual([prepare(1, message)]);
  });

  it('with nothing but what was executed', () => {
    const backup = new CheckedReplica();
    backup.step({ kind: 'certificate', certificate: certificate(proposing(1, ask('c', 1))) });
    const message = proposing(2, ask('c', 1, { gateway: 'gateway-2' }));
    expect(refusals(backup.receive(message))).toEqual(['stale-request']);
    expect(votes(backup.receive(proposing(2, ask('c', 1), ask('d', 1))))).toEqual([]);
  });

  it('with nothing but what stands in another batch under way', () => {
    const backup = new CheckedReplica();
    backup.receive(proposing(1, ask('c', 1)));
    expect(refusals(backup.receive(proposing(2, ask('c', 1))))).toEqual(['stale-request']);
    expect(refusals(backup.receive(proposing(3, ask('c', 1, { gateway: 'gateway-2' }))))).toEqual(['stale-request']);
  });

  it('but prepares one with a bundle that is old in part', () => {
    const backup = new CheckedReplica();
    backup.step({ kind: 'certificate', certificate: certificate(proposing(1, ask('c', 1))) });
    expect(votes(backup.receive(proposing(2, bundle([request('c', 1), request('c', 2)]))))).toHaveLength(1);
  });
});

describe('a batch whose votes came first', () => {
  it('is judged like any other when it comes', () => {
    const backup = new CheckedReplica();
    const message = proposing(1, ask('c', 2), ask('c', 1));
    const early = backup.receive(
      prepare(2, message),
      prepare(3, message),
      commit(0, message),
      commit(2, message),
      commit(3, message),
    );
    const effects = [...early, ...backup.receive(message)];
    expect(sent(effects)).toEqual([]);
    expect(executed(effects)).toEqual([]);
    expect(refusals(effects)).toEqual(['request-out-of-order']);
  });
});

describe('a request that lost its place', () => {
  it('to a batch that a peer has proven to be committed still waits to be executed', () => {
    const backup = new CheckedReplica({ requestTimeoutTicks: 4 });
    backup.receive(proposing(1, ask('mine', 1)));
    backup.step({ kind: 'certificate', certificate: certificate(proposing(1, ask('theirs', 1))) });
    expect(backup.application.history).toEqual(['theirs#1']);
    // Its primary has equivocated, so that it takes another one to order it.
    expect(backup.ticks(20)).toContainEqual({ kind: 'view', view: 1, isChanging: true });
  });
});

/** A bad request blames its client, never the primary unless the primary ordered it (rule 9). */
describe('a bundle that no primary can order', () => {
  it.each([
    { what: 'goes back in itself', bad: bundle([request('c', 2), request('c', 1)]) },
    { what: 'holds a request twice', bad: bundle([request('c', 1), request('c', 1)]) },
    { what: 'asks to be ordered for too long', bad: ask('c', 1, { lastSequence: limits.bundleLifetime + 1 }) },
  ])('because it $what is refused, and makes nobody suspect the primary', ({ bad }) => {
    const backup = new CheckedReplica({ requestTimeoutTicks: 4 });
    const primary = new CheckedReplica({ self: 0 });
    expect(votes(primary.submit(bad))).toEqual([]);
    expect(() => primary.ticks(10)).not.toThrow();
    expect(refusals(backup.submit(bad))).toHaveLength(1);
    const effects = backup.ticks(100);
    expect(effects.filter(({ kind }) => kind === 'view')).toEqual([]);
  });
});
