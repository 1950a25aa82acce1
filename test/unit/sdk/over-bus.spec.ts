import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { membershipDocument } from '../../../src/crypto/membership.js';
import { QuorateError } from '../../../src/errors.js';
import type { ClusterEvent, QuorateClient } from '../../../src/sdk/client.js';
import { overBus, type BusSdkClient } from '../../../src/sdk/over-bus.js';
import { exampleBatch, exampleReply, exampleStatus, FakeClusterClient } from '../../support/fake-cluster-client.js';
import { testMembership } from '../crypto/support.js';

describe('calls over the bus', () => {
  let bus: FakeClusterClient;
  let client: BusSdkClient;
  const operation = { op: 'get', key: 'a' };
  const overloaded = new QuorateError('overloaded', 'full');
  const never = new Promise<never>(() => undefined);

  beforeEach(() => {
    bus = new FakeClusterClient();
    bus.membership = () => membershipDocument(testMembership(4));
    client = overBus(bus, () => Promise.resolve(), 20_000);
  });

  afterEach(() => client.close());

  it('wait for a place and for a connection, and not for what may have been executed', async () => {
    const failures = [overloaded, new QuorateError('bus-unavailable', 'away')];
    bus.onSubmit = () =>
      Promise.resolve(failures.shift()).then((error) => {
        if (error !== undefined) throw error;
        return exampleReply();
      });
    expect(await client.submit(operation)).toEqual(exampleReply());
    expect(bus.submitted.map(({ options }) => (options?.deadlineMs ?? 0) <= 20_000)).toEqual([true, true, true]);
    for (const passing of ['bus-unavailable', 'no-quorum'] as const) {
      bus.submitted.length = 0;
      bus.onSubmit = () => Promise.reject(new QuorateError(passing, 'sent', { mayStillCommit: true }));
      await expect(client.submit(operation)).rejects.toMatchObject({ code: passing });
      expect(bus.submitted).toHaveLength(1);
    }
  });

  it('end with what was in the way when their deadline comes', async () => {
    bus.onSubmit = () => Promise.reject(overloaded);
    await expect(client.submit(operation, { deadlineMs: 40 })).rejects.toBe(overloaded);
  });

  it('end when they are aborted or the client is closed, even if nothing else ends them', async () => {
    bus.onSubmit = () => never;
    bus.onQuery = () => never;
    const abort = new AbortController();
    const aborted = client.submit(operation, { signal: abort.signal });
    const pending = [client.submit(operation), client.query('a')];
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await client.close();
    for (const call of [...pending, client.submit(operation), client.query('a'), client.status()]) {
      await expect(call).rejects.toMatchObject({ code: 'shutting-down' });
    }
  });

  it('refuse what makes no sense, and ask nobody', async () => {
    for (const deadlineMs of [0, NaN, 1.5, 2 ** 31, Infinity]) {
      await expect(client.submit(operation, { deadlineMs })).rejects.toMatchObject({ code: 'invalid-setting' });
      await expect(client.prove('a', { deadlineMs })).rejects.toMatchObject({ code: 'invalid-setting' });
    }
    for (const idempotencyKey of ['', 'ü', 'a'.repeat(257)]) {
      await expect(client.submit(operation, { idempotencyKey })).rejects.toMatchObject({ code: 'invalid-request' });
    }
    await expect(client.submit({ op: NaN })).rejects.toMatchObject({ code: 'invalid-request' });
    expect(bus.submitted).toEqual([]);
  });
});

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
