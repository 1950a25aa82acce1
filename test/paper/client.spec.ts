import { describe, expect, it } from '@jest/globals';
import type { PrePrepare } from '../../src/pbft/messages.js';
import { CheckedReplica, executed, refusals, replies, sent, votes } from '../support/checked-replica.js';
import { ask, batch, bundle, certificate, prePrepare, request } from '../support/core-messages.js';

/** A replica that has executed `timestamps` of client c, one batch each. */
function having(executedTimestamps: readonly number[], self = 1): CheckedReplica {
  const replica = new CheckedReplica({ self });
  for (const [index, timestamp] of executedTimestamps.entries()) {
    const about = prePrepare(index + 1, batch([ask('c', timestamp)]));
    replica.step({ kind: 'certificate', certificate: certificate(about) });
  }
  return replica;
}

/** OSDI '99 §4.1: a request is executed exactly once, and a repeated one is answered with the reply that was sent before. */
describe('the client (OSDI §4.1)', () => {
  it('gets a reply with view, sequence number and its own timestamp, at its own gateway', () => {
    const replica = new CheckedReplica();
    const about = prePrepare(1, batch([ask('c', 7, { gateway: 'gateway-9' })]));
    const [answer] = replies(replica.step({ kind: 'certificate', certificate: certificate(about) }));
    expect(answer).toMatchObject({ gateway: 'gateway-9', statement: { view: 0, sequence: 1 } });
    expect(answer?.items).toMatchObject([{ client: 'c', timestamp: 7, index: 0, result: request('c', 7).operation }]);
  });

  it('that repeats a request gets the same reply again, from every replica', () => {
    for (const self of [0, 1]) {
      const replica = having([1, 2], self);
      const again = replica.submit(ask('c', 1));
      expect(replies(again)).toMatchObject([{ statement: { sequence: 1 }, items: [{ client: 'c', timestamp: 1 }] }]);
      expect(replica.application.history).toEqual(['c#1', 'c#2']);
    }
  });

  it('that repeats requests of several batches in one bundle gets one reply for each batch', () => {
    const replica = having([1, 2]);
    const again = replica.submit(bundle([request('c', 1), request('c', 2)]));
    expect(replies(again).map(({ statement: { sequence } }) => sequence)).toEqual([1, 2]);
    expect(refusals(again)).toEqual([]);
  });

  it('gets the reply at the gateway that asks now', () => {
    const replica = having([1]);
    expect(replies(replica.submit(ask('c', 1, { gateway: 'gateway-2' })))).toMatchObject([{ gateway: 'gateway-2' }]);
  });

  it('that repeats a request has it neither ordered nor executed again', () => {
    const primary = having([1], 0);
    expect(sent(primary.submit(ask('c', 1)))).toEqual([]);
    expect(sent(primary.submit(ask('c', 1, { lastSequence: 900 })))).toEqual([]);
    expect(sent(primary.ticks(20))).toEqual([]);
  });

  it('that repeats a request while it is on its way has it ordered once', () => {
    const primary = new CheckedReplica({ self: 0 });
    expect(votes(primary.submit(ask('c', 1)))).toHaveLength(1);
    expect(votes(primary.submit(ask('c', 1)))).toEqual([]);
    expect(votes(primary.submit(ask('c', 1, { gateway: 'gateway-2' })))).toEqual([]);
  });

  it('that sends a bundle twice before its turn has it wait once', () => {
    const backup = new CheckedReplica();
    expect(refusals(backup.submit(ask('c', 1)))).toEqual([]);
    expect(refusals(backup.submit(ask('c', 1)))).toEqual(['duplicate']);
  });

  it('that repeats a part of a bundle has the new part executed and the old part answered', () => {
    const replica = having([1]);
    const about = prePrepare(2, batch([bundle([request('c', 1), request('c', 2)])]));
    const effects = replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(replica.application.history).toEqual(['c#1', 'c#2']);
    const answers = replies(effects).map(({ statement: { sequence, size }, items }) => ({ sequence, size, items }));
    expect(answers).toMatchObject([
      { sequence: 2, size: 1, items: [{ timestamp: 2, index: 0 }] },
      { sequence: 1, size: 1, items: [{ timestamp: 1, index: 0 }] },
    ]);
  });

  it('never has a request executed twice, even if a batch that repeats it was agreed', () => {
    const replica = having([1]);
    const about = prePrepare(2, batch([ask('c', 1, { gateway: 'gateway-2' })]));
    const effects = replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(executed(effects)).toEqual([2]);
    expect(replies(effects)).toMatchObject([{ gateway: 'gateway-2', statement: { sequence: 1 } }]);
    expect(replica.application.history).toEqual(['c#1']);
  });

  it('that uses a timestamp for another operation gets the reply to the first, and nothing is executed', () => {
    const replica = having([1]);
    const other = request('c', 1, 'another operation');
    const about = prePrepare(2, batch([bundle([other]), ask('c', 2)]));
    expect(replies(replica.submit(bundle([other])))).toMatchObject([
      { statement: { sequence: 1 }, items: [{ requestDigest: request('c', 1).digest }] },
    ]);
    replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(replica.application.history).toEqual(['c#1', 'c#2']);
  });

  it('can have several requests under way, and a later one that was ordered first censors none', () => {
    const primary = having([9, 12], 0);
    const [message] = sent(primary.submit(bundle([request('c', 3), request('c', 10)]))) as [PrePrepare];
    expect(message).toMatchObject({ sequence: 3 });
    primary.step({ kind: 'certificate', certificate: certificate(message) });
    expect(primary.application.history).toEqual(['c#9', 'c#12', 'c#3', 'c#10']);
    for (const timestamp of [3, 9, 10, 12]) {
      expect(replies(primary.submit(ask('c', timestamp)))).toMatchObject([{ items: [{ timestamp }] }]);
    }
  });

  it('is not taken for another one', () => {
    const replica = having([1]);
    const about = prePrepare(2, batch([ask('d', 1)]));
    replica.step({ kind: 'certificate', certificate: certificate(about) });
    expect(replica.application.history).toEqual(['c#1', 'd#1']);
  });
});
