import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { membershipDocument } from '../../../src/crypto/membership.js';
import { QuorateError } from '../../../src/errors.js';
import type { ClusterEvent, QuorateClient } from '../../../src/sdk/index.js';
import { overBus } from '../../../src/sdk/over-bus.js';
import { exampleBatch, exampleStatus, FakeClusterClient } from '../../support/fake-cluster-client.js';
import { testMembership } from '../crypto/support.js';

describe('events over the bus', () => {
  let bus: FakeClusterClient;
  let client: QuorateClient;

  /** All replicas have executed so far, in this view; below `from` their logs are collected. */
  const reach = (sequence: number, { view = 0, from = 1 } = {}): void => {
    bus.onStatus = () => {
      const { replicas, ...status } = exampleStatus();
      return { ...status, view, replicas: replicas.map((replica) => ({ ...replica, lastExecuted: sequence })) };
    };
    bus.onAgreedBatch = (asked) => {
      if (asked < from) return Promise.reject(new QuorateError('log-collected', 'gone', { sequence: asked }));
      return Promise.resolve(asked <= sequence ? exampleBatch(asked) : undefined);
    };
  };

  /** So many events, and then it leaves. */
  const take = async (events: AsyncIterableIterator<ClusterEvent>, count: number): Promise<ClusterEvent[]> => {
    const seen: ClusterEvent[] = [];
    for await (const event of events) if (seen.push(event) === count) break;
    return seen;
  };

  beforeEach(() => {
    bus = new FakeClusterClient();
    bus.membership = () => membershipDocument(testMembership(4));
    client = overBus(bus, () => Promise.resolve());
  });

  afterEach(() => client.close());

  it('are each batch with its certificate, once and in order, from a place on and as they come', async () => {
    reach(5);
    const first = await take(client.events({ after: 2 }), 3);
    expect(first.map(({ type, id, data }) => [type, id, data])).toEqual(
      [3, 4, 5].map((id) => ['committed', id, exampleBatch(id)]),
    );
    reach(7);
    expect((await take(client.events({ after: 5 }), 2)).map(({ id }) => id)).toEqual([6, 7]);
  });

  it('are news between the batches, which starve neither', async () => {
    reach(1000);
    const seen: ClusterEvent[] = [];
    for await (const event of client.events({ after: 0 })) {
      seen.push(event);
      if (seen.length === 10) reach(1000, { view: 1 });
      if (event.type === 'view-change') break;
      // The feed looks at the cluster by a timer of its own: it gets its turns while batches are taken.
      await new Promise((resolve) => setImmediate(resolve));
      if (event.id === 1000) reach(2000, { view: 1 });
    }
    expect(seen.at(-1)).toEqual({
      type: 'view-change',
      id: undefined,
      data: { view: 1, primary: expect.any(String) },
    });
    const ids = seen.flatMap(({ id }) => id ?? []);
    expect(ids).toEqual(ids.map((_, index) => index + 1));
  });

  it('begin with what is agreed next when nothing is said', async () => {
    reach(5);
    const events = client.events();
    const next = events.next();
    await new Promise((resolve) => setImmediate(resolve));
    reach(6);
    expect(await next).toMatchObject({ value: { type: 'committed', id: 6 } });
    await events.return?.();
  });

  it('end with where the log still reaches', async () => {
    reach(100, { from: 37 });
    await expect(client.events({ after: 3 }).next()).rejects.toMatchObject({
      code: 'log-collected',
      details: { availableFrom: 37 },
    });
  });

  it('end when they are told to, or the client is closed, and refuse what is no place', async () => {
    reach(5);
    const abort = new AbortController();
    const waiting = [client.events({ signal: abort.signal }).next(), client.events().next()];
    abort.abort();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    await client.close();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    expect(() => client.events()).toThrow(/closed/);
    const open = overBus(bus, () => Promise.resolve());
    expect(() => open.events({ after: -1 })).toThrow(/sequence number/);
    await open.close();
  });
});
