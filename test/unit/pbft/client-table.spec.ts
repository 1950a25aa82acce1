import { describe, expect, it } from '@jest/globals';
import { limits } from '../../../src/pbft/configuration.js';
import type { Request } from '../../../src/pbft/messages.js';
import { CheckedReplica, executed, refusals, replies, sent } from '../../support/checked-replica.js';
import { batch, bundle, certificate, checkpoint, prePrepare, request } from '../../support/core-messages.js';
import { RecordingApplication } from '../../support/recording-application.js';

/** A short name, since there are many. */
const named = (client: string, timestamp: number): Request => request(client, timestamp, '');

function executeBatches(replica: CheckedReplica, batches: readonly (readonly Request[])[]): void {
  for (const requests of batches) {
    const place = replica.core.lastExecuted + 1;
    const content = batch([bundle(requests, { lastSequence: place })]);
    const effects = replica.step({ kind: 'certificate', certificate: certificate(prePrepare(place, content)) });
    if (executed(effects)[0] !== place) throw new Error(`${place} was not executed`);
    for (const message of sent(effects)) {
      if (message.kind !== 'checkpoint') continue;
      replica.receive(checkpoint(2, place, message.digest), checkpoint(3, place, message.digest));
    }
  }
}

/** What the replica knows of a request: it answers, it says that it is too old to tell, or it lets it wait. */
function standing(replica: CheckedReplica, one: Request): 'executed' | 'stale' | 'fresh' {
  const effects = replica.submit(bundle([one]));
  if (replies(effects).length > 0) return 'executed';
  return refusals(effects).includes('stale-request') ? 'stale' : 'fresh';
}

function range(count: number, of: (index: number) => Request): Request[] {
  return Array.from({ length: count }, (_, index) => of(index));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** A cluster in which every result has `bytes` bytes; they share their memory. */
function withResults(bytes: number): CheckedReplica {
  const result = new Uint8Array(bytes);
  return new CheckedReplica({ application: () => new RecordingApplication(() => result) });
}

/** Each client has a window of timestamps, and the table is bounded, by rules that depend on the batches alone (rule 12). */
describe("a client's window", () => {
  it('knows what was executed from what was not, in whatever order', () => {
    const replica = new CheckedReplica();
    executeBatches(replica, [[named('c', 5)], [named('c', 2)], [named('c', 9)], [named('c', 4), named('c', 7)]]);
    const known = range(10, (index) => named('c', index)).map((one) => standing(replica, one));
    const expected = [2, 4, 5, 7, 9];
    expect(known.map((value, timestamp) => [timestamp, value])).toEqual(
      known.map((_, timestamp) => [timestamp, expected.includes(timestamp) ? 'executed' : 'fresh']),
    );
  });

  it('begins at timestamp 0', () => {
    const replica = new CheckedReplica();
    expect(standing(replica, named('c', 0))).toBe('fresh');
    executeBatches(replica, [[named('c', 0)]]);
    expect(standing(replica, named('c', 0))).toBe('executed');
  });

  it('keeps the highest timestamps; of what is older it can no longer tell, and executes nothing', () => {
    const replica = new CheckedReplica();
    const size = limits.clientWindow;
    executeBatches(
      replica,
      chunks(
        range(size, (index) => named('c', 2 * index + 2)),
        1024,
      ),
    );
    expect(standing(replica, named('c', 1))).toBe('fresh');
    expect(standing(replica, named('c', 2))).toBe('executed');
    // A late one pushes the lowest out: itself, if it is the lowest.
    executeBatches(replica, [[named('c', 1)]]);
    expect(replica.application.history.at(-1)).toBe('c#1');
    expect([1, 2].map((timestamp) => standing(replica, named('c', timestamp)))).toEqual(['stale', 'executed']);
    executeBatches(replica, [[named('c', 3)]]);
    expect([1, 2, 3, 4, 5].map((timestamp) => standing(replica, named('c', timestamp)))).toEqual([
      'stale',
      'stale',
      'executed',
      'executed',
      'fresh',
    ]);
    const before = replica.application.history.length;
    executeBatches(replica, [[named('c', 1), named('c', 2), named('d', 1)]]);
    expect(replica.application.history.slice(before)).toEqual(['d#1']);
    expect(refusals(replica.submit(bundle([named('c', 1), named('c', 2)])))).toEqual(['stale-request']);
  });

  it('keeps no more bytes of results than it may, but always the last', () => {
    const replica = withResults(limits.resultBytesMax - limits.replyOverheadBytes);
    const kept = limits.clientResultBytesMax / limits.resultBytesMax;
    executeBatches(replica, [range(kept, (index) => named('c', index))]);
    expect(standing(replica, named('c', 0))).toBe('executed');
    executeBatches(replica, [[named('c', kept)]]);
    expect(standing(replica, named('c', 0))).toBe('stale');
    expect(standing(replica, named('c', 1))).toBe('executed');
    expect(standing(replica, named('c', kept))).toBe('executed');
    const huge = withResults(limits.clientResultBytesMax + 1);
    executeBatches(huge, [[named('c', 1)], [named('c', 2)]]);
    expect([1, 2].map((timestamp) => standing(huge, named('c', timestamp)))).toEqual(['stale', 'executed']);
  });
});

describe('the table of clients', () => {
  const filler = named('filler', 0);

  /** Executes one request of `filler` after the other until `place`. */
  function passTimeUntil(replica: CheckedReplica, place: number): void {
    const from = replica.core.lastExecuted;
    executeBatches(
      replica,
      range(place - from, (index) => named('filler', from + index + 1)).map((one) => [one]),
    );
  }

  it('forgets nobody while there is room, however long ago they came', () => {
    const replica = new CheckedReplica();
    executeBatches(replica, [[named('early', 1)], [filler]]);
    passTimeUntil(replica, limits.bundleLifetime + 10);
    expect(standing(replica, named('early', 1))).toBe('executed');
  });

  it('forgets nobody while the results take no more bytes than they may, all together', () => {
    const replica = withResults(limits.resultBytesMax - limits.replyOverheadBytes);
    executeBatches(replica, [range(200, (index) => named('early', index)), [filler]]);
    passTimeUntil(replica, limits.bundleLifetime + 10);
    expect(standing(replica, named('early', 0))).toBe('executed');
  });

  it('forgets who executed least recently when it is full, but nobody whose bundles may still be ordered', () => {
    const replica = new CheckedReplica();
    executeBatches(replica, [[named('a', 1)], [named('b', 1)], [named('a', 2)], [filler]]);
    // Full, with one too many: 'a' and 'b' are too young to leave.
    executeBatches(
      replica,
      chunks(
        range(limits.clientsMax - 2, (index) => named(`c${index}`, 1)),
        1024,
      ),
    );
    expect(standing(replica, named('b', 1))).toBe('executed');
    passTimeUntil(replica, 2 + limits.bundleLifetime);
    expect(standing(replica, named('b', 1))).toBe('executed');
    passTimeUntil(replica, 2 + limits.bundleLifetime + 1);
    expect(standing(replica, named('b', 1))).toBe('fresh');
    // One left, and that is enough.
    passTimeUntil(replica, 2 + limits.bundleLifetime + 10);
    expect(standing(replica, named('a', 1))).toBe('executed');
  });

  it('forgets the same at every replica', () => {
    const [one, two] = [
      withResults(limits.resultBytesMax - limits.replyOverheadBytes),
      withResults(limits.resultBytesMax - limits.replyOverheadBytes),
    ];
    const batches = chunks(
      range(1000, (index) => named(`c${index % 7}`, index)),
      13,
    );
    executeBatches(one, batches);
    executeBatches(two, batches);
    two.submit(bundle([named('c1', 1)]), bundle([named('other', 1)])); // asking changes nothing
    const asked = range(1000, (index) => named(`c${index % 7}`, index));
    const [left, right] = [one, two].map((replica) => asked.map((client) => standing(replica, client)));
    expect(left).toEqual(right);
    expect(new Set(left)).toEqual(new Set(['executed']));
  });

  it('forgets the replies of the client that executed least recently when all take too many bytes, not that it executed', () => {
    const replica = withResults(limits.resultBytesMax - limits.replyOverheadBytes);
    const perClient = limits.clientResultBytesMax / limits.resultBytesMax;
    const clients = limits.replyCacheBytesMax / limits.clientResultBytesMax;
    const requests = range(clients * perClient, (index) => named(`c${Math.floor(index / perClient)}`, index));
    executeBatches(replica, chunks(requests, perClient));
    expect(replica.core.lastExecuted).toBe(clients);
    expect(standing(replica, named('c0', 0))).toBe('executed');
    passTimeUntil(replica, clients + 1);
    expect(standing(replica, named('c0', 0))).toBe('stale');
    expect(standing(replica, named('c0', perClient - 1))).toBe('stale');
    expect(standing(replica, named('c0', perClient))).toBe('fresh');
    expect(standing(replica, named('c1', perClient))).toBe('executed');
  });
});
