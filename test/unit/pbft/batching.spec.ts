import { describe, expect, it } from '@jest/globals';
import { limits } from '../../../src/pbft/configuration.js';
import type { PrePrepare } from '../../../src/pbft/messages.js';
import { CheckedReplica, refusals, votes, type CheckedOptions } from '../../support/checked-replica.js';
import { ask, bundle, certificate, commit, prepare, request, type BundleOptions } from '../../support/core-messages.js';

function primary(options: CheckedOptions = {}): CheckedReplica {
  return new CheckedReplica({ self: 0, instancesInFlightMax: 1, ...options });
}

/** A bundle of `client` with `count` requests from `first` on. */
function some(client: string, first: number, count: number, options: BundleOptions = {}) {
  return bundle(
    Array.from({ length: count }, (_, index) => request(client, first + index)),
    options,
  );
}

/** The backups agree to the oldest proposal; what the primary proposes upon that. */
function finish(replica: CheckedReplica, message: PrePrepare): PrePrepare[] {
  const answers = [1, 2].flatMap((backup) => [prepare(backup, message), commit(backup, message)]);
  return proposals(replica.receive(...answers));
}

function proposals(effects: Parameters<typeof votes>[0]): PrePrepare[] {
  return votes(effects).filter((message): message is PrePrepare => message.kind === 'pre-prepare');
}

/** What a batch holds, as `client#timestamp`. */
function contents(message: PrePrepare | undefined): string[] {
  const bundles = message?.batch?.bundles ?? [];
  return bundles.flatMap(({ requests }) => requests.map(({ client, timestamp }) => `${client}#${timestamp}`));
}

describe('batches', () => {
  it('are proposed at once when nothing is under way', () => {
    const replica = primary();
    expect(proposals(replica.submit(ask('c', 1))).map(contents)).toEqual([['c#1']]);
  });

  it('hold whatever waits when an instance may begin, oldest first', () => {
    const replica = primary();
    const [first] = proposals(replica.submit(ask('a', 1)));
    expect(proposals(replica.submit(ask('b', 1), ask('c', 1), ask('a', 2)))).toEqual([]);
    const next = finish(replica, first!);
    expect(next.map(contents)).toEqual([['b#1', 'c#1', 'a#2']]);
    expect(finish(replica, next[0]!)).toEqual([]);
  });

  it('hold no more operations than their size', () => {
    const replica = primary({ batchSize: 4 });
    const [first] = proposals(replica.submit(ask('a', 1)));
    replica.submit(some('b', 1, 3), some('c', 1, 2), some('d', 1, 1));
    const [second] = finish(replica, first!);
    expect(contents(second)).toEqual(['b#1', 'b#2', 'b#3']);
    expect(finish(replica, second!).map(contents)).toEqual([['c#1', 'c#2', 'd#1']]);
  });

  it('hold requests of no more clients than may join the table with one of them', () => {
    const replica = primary({ batchSize: limits.batchOperationsMax });
    const [first] = proposals(replica.submit(ask('a', 1)));
    replica.submit(...Array.from({ length: limits.batchClientsMax + 1 }, (_, index) => some(`c${index}`, 1, 2)));
    const [second] = finish(replica, first!);
    expect(new Set(second?.batch?.bundles.map(({ requests }) => requests[0]?.client)).size).toBe(
      limits.batchClientsMax,
    );
    expect(contents(second)).toHaveLength(2 * limits.batchClientsMax);
    expect(finish(replica, second!).map(contents)).toEqual([
      [`c${limits.batchClientsMax}#1`, `c${limits.batchClientsMax}#2`],
    ]);
  });

  it('never hold a bundle of too many clients, which is refused', () => {
    const clients = (count: number) => bundle(Array.from({ length: count }, (_, index) => request(`c${index}`, 1)));
    const replica = primary();
    expect(refusals(replica.submit(clients(limits.batchClientsMax + 1)))).toEqual(['too-many-clients']);
    expect(contents(proposals(replica.submit(clients(limits.batchClientsMax)))[0])).toHaveLength(
      limits.batchClientsMax,
    );
  });

  it('hold a bundle whole or not at all, even one that is larger than their size', () => {
    const replica = primary({ batchSize: 2 });
    const [first] = proposals(replica.submit(ask('a', 1)));
    const large = some('b', 1, 5);
    replica.submit(large, ask('c', 1));
    const [second] = finish(replica, first!);
    expect(second?.batch?.bundles).toEqual([large]);
    expect(finish(replica, second!).map(contents)).toEqual([['c#1']]);
  });

  it('hold no more bytes than a batch may have', () => {
    const replica = primary();
    const [first] = proposals(replica.submit(ask('a', 1)));
    const size = Math.floor(limits.batchBytesMax / 2);
    replica.submit(ask('b', 1, { size }), ask('c', 1, { size }), ask('d', 1, { size: 2 }));
    const [second] = finish(replica, first!);
    expect(contents(second)).toEqual(['b#1', 'c#1']);
    expect(finish(replica, second!).map(contents)).toEqual([['d#1']]);
  });

  it('keep the order of each client: what would go back waits for the next one', () => {
    const replica = primary();
    const [first] = proposals(replica.submit(ask('a', 1)));
    replica.submit(ask('c', 5), ask('c', 3), ask('b', 1));
    const [second] = finish(replica, first!);
    expect(contents(second)).toEqual(['c#5', 'b#1']);
    expect(finish(replica, second!).map(contents)).toEqual([['c#3']]);
  });

  it('hold each request once, though it came in two bundles', () => {
    const replica = primary();
    const [first] = proposals(replica.submit(ask('a', 1)));
    replica.submit(ask('c', 1), ask('c', 1, { gateway: 'gateway-2' }), bundle([request('c', 1), request('c', 2)]));
    const [second] = finish(replica, first!);
    expect(contents(second)).toEqual(['c#1']);
    // A bundle is whole: what is old in it is answered, what is new is executed.
    expect(finish(replica, second!).map(contents)).toEqual([['c#1', 'c#2']]);
    expect(replica.application.history).toEqual(['a#1', 'c#1']);
  });

  it('leave out what may be ordered no more', () => {
    const replica = primary();
    const [first] = proposals(replica.submit(ask('a', 1)));
    replica.submit(ask('b', 1, { lastSequence: 1 }), ask('c', 1, { lastSequence: 2 }));
    const [second] = finish(replica, first!);
    expect(contents(second)).toEqual(['c#1']);
    expect(finish(replica, second!)).toEqual([]);
  });
});

describe('several instances', () => {
  it('are under way at once, no more than may be', () => {
    const replica = primary({ instancesInFlightMax: 3 });
    const proposed = proposals(replica.submit(...[1, 2, 3, 4, 5].map((timestamp) => ask('c', timestamp))));
    expect(proposed.map(contents)).toEqual([['c#1'], ['c#2'], ['c#3']]);
    expect(finish(replica, proposed[1]!)).toEqual([]);
    const after = finish(replica, proposed[0]!);
    expect(after.map(contents)).toEqual([['c#4', 'c#5']]);
    expect(after[0]?.sequence).toBe(4);
  });

  it('wait beyond a number of them until a batch is full', () => {
    const replica = primary({ instancesInFlightMax: 4, unfilledInFlightMax: 2, batchSize: 3 });
    const first = proposals(replica.submit(...[1, 2, 3, 4].map((timestamp) => ask('c', timestamp))));
    expect(first.map(contents)).toEqual([['c#1'], ['c#2']]);
    expect(proposals(replica.submit(ask('c', 5))).map(contents)).toEqual([['c#3', 'c#4', 'c#5']]);
    expect(proposals(replica.submit(ask('c', 6)))).toEqual([]);
    finish(replica, first[0]!);
    expect(finish(replica, first[1]!).map(contents)).toEqual([['c#6']]);
  });

  it('must be at least one, and no more than the log holds', () => {
    expect(() => primary({ instancesInFlightMax: 0 })).toThrow('invariant violated');
    expect(() => primary({ instancesInFlightMax: 33, logSize: 32 })).toThrow('invariant violated');
    expect(() => primary({ batchSize: 0 })).toThrow('invariant violated');
    expect(() => primary({ batchSize: limits.batchOperationsMax + 1 })).toThrow('invariant violated');
  });
});

describe('what waits to be ordered', () => {
  it.each([0, 1])('is bounded in number at replica %d', (self) => {
    const replica = primary({ self });
    if (self === 0) replica.submit(ask('first', 1));
    for (let count = 0; count < limits.waitingBundlesMax - 1; count++) {
      expect(refusals(replica.submit(ask(`c${count}`, 1)))).toEqual([]);
    }
    replica.submit(ask('last', 1));
    expect(refusals(replica.submit(ask('one more', 1)))).toEqual(['buffer-full']);
  });

  it('is bounded in bytes', () => {
    const replica = new CheckedReplica();
    const size = limits.waitingBytesMax / 64;
    for (let count = 0; count < 64; count++)
      expect(refusals(replica.submit(ask(`c${count}`, 1, { size })))).toEqual([]);
    expect(refusals(replica.submit(ask('one more', 1, { size: 1 })))).toEqual(['buffer-full']);
  });

  it('makes room as it is executed', () => {
    const replica = primary({ self: 1 });
    const size = limits.waitingBytesMax;
    const bundles = [ask('c', 1, { size })];
    replica.submit(...bundles);
    expect(refusals(replica.submit(ask('d', 1)))).toEqual(['buffer-full']);
    const ordering = proposals(new CheckedReplica({ self: 0 }).submit(ask('c', 1, { size: 100 })))[0]!;
    const about = { ...ordering, batch: { ...ordering.batch!, bundles } };
    replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(refusals(replica.submit(ask('d', 1)))).toEqual([]);
  });

  it('is forgotten when it was executed as part of another bundle', () => {
    const replica = new CheckedReplica();
    const count = limits.waitingBundlesMax;
    replica.submit(...Array.from({ length: count }, (_, index) => ask('c', 1, { lastSequence: 1 + index })));
    expect(refusals(replica.submit(ask('d', 1)))).toEqual(['buffer-full']);
    const [about] = proposals(new CheckedReplica({ self: 0 }).submit(ask('c', 1, { gateway: 'gateway-2' })));
    replica.step({ kind: 'certificate', certificate: certificate(about!) });
    replica.tick();
    expect(refusals(replica.submit(ask('d', 1), ask('e', 1)))).toEqual([]);
  });
});
