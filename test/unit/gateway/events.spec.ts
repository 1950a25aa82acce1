import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { AgreedBatch } from '../../../src/client/cluster-client.js';
import { QuorateError } from '../../../src/errors.js';
import { Connections } from '../../../src/gateway/connections.js';
import { agreedBatchSchema } from '../../../src/gateway/schemas.js';
import { exampleBatch, exampleStatus } from '../../support/fake-cluster-client.js';
import { Random } from '../../support/seeds.js';
import { start, stopAll, until, type Started } from './support.js';

/** A consumer of a stream, which can be cut off at any time. */
class Consumer {
  readonly events: EventSourceMessage[] = [];
  status = 0;
  body = '';
  isOver = false;
  private readonly abort = new AbortController();
  private readonly parser = createParser({ onEvent: (event) => this.events.push(event) });

  constructor(url: string, headers: Record<string, string> = {}) {
    void this.run(url, headers);
  }

  get ids(): number[] {
    return this.events.filter(({ event }) => event === 'committed').map(({ id }) => Number(id));
  }

  kill(): void {
    this.abort.abort();
  }

  private async run(url: string, headers: Record<string, string>): Promise<void> {
    try {
      const response = await fetch(url, { headers, signal: this.abort.signal });
      this.status = response.status;
      const decoder = new TextDecoder();
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        const text = decoder.decode(chunk, { stream: true });
        this.body += text;
        this.parser.feed(text);
      }
    } catch {
      // cut off
    } finally {
      this.isOver = true;
    }
  }
}

/** The cluster has agreed on so much. */
function reach({ client }: Started, sequence: number): void {
  client.onStatus = () => {
    const status = exampleStatus();
    return { ...status, replicas: status.replicas.map((replica) => ({ ...replica, lastExecuted: sequence })) };
  };
  client.onAgreedBatch = (asked) => Promise.resolve(asked <= sequence ? exampleBatch(asked) : undefined);
}

/** Below this the log is collected. */
function collect({ client }: Started, below: number, reached: number): void {
  client.onAgreedBatch = (asked): Promise<AgreedBatch | undefined> =>
    asked < below
      ? Promise.reject(new QuorateError('log-collected', 'gone', { sequence: asked }))
      : Promise.resolve(asked <= reached ? exampleBatch(asked) : undefined);
}

describe('the agreed log as a feed', () => {
  afterEach(stopAll);

  it('tells of each batch with its certificate, under its sequence number, from a place on and then as they come', async () => {
    const started = await start();
    reach(started, 5);
    const consumer = new Consumer(`${started.gateway.url}/v1/log?after=2`);
    await until(() => consumer.events.length === 3);
    reach(started, 7);
    await until(() => consumer.events.length === 5);
    expect(consumer.ids).toEqual([3, 4, 5, 6, 7]);
    for (const { data } of consumer.events) expect(agreedBatchSchema.safeParse(JSON.parse(data)).error).toBeUndefined();
    consumer.kill();
  });

  it('begins with what is agreed next when nothing is said, and Last-Event-ID goes before `after`', async () => {
    const started = await start();
    reach(started, 5);
    const fresh = new Consumer(`${started.gateway.url}/v1/events`);
    const resumed = new Consumer(`${started.gateway.url}/v1/log?after=0`, { 'Last-Event-ID': '4' });
    await until(() => resumed.ids.length === 1 && fresh.body.includes('retry: 1000'));
    reach(started, 6);
    await until(() => resumed.ids.length === 2 && fresh.ids.length === 1);
    expect([fresh.ids, resumed.ids]).toEqual([[6], [5, 6]]);
    for (const consumer of [fresh, resumed]) consumer.kill();
  });

  it('is had whole, once and in order by a consumer that is killed and resumed at random', async () => {
    const count = 10_000;
    const random = new Random(1);
    const started = await start();
    reach(started, count);
    const seen: number[] = [];
    let lives = 0;
    while (seen.length < count) {
      const consumer = new Consumer(`${started.gateway.url}/v1/log`, { 'Last-Event-ID': String(seen.at(-1) ?? 0) });
      const enough = random.between(1, 900);
      await until(() => consumer.ids.length >= Math.min(enough, count - seen.length));
      consumer.kill();
      await until(() => consumer.isOver);
      seen.push(...consumer.ids.slice(0, enough)); // what it had dealt with when it died
      lives++;
    }
    expect(seen).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    expect(lives).toBeGreaterThan(10);
  }, 60_000);

  it('says where it can be resumed when the log does not reach back so far', async () => {
    const started = await start();
    reach(started, 100);
    collect(started, 37, 100);
    const consumer = new Consumer(`${started.gateway.url}/v1/log?after=3`);
    await until(() => consumer.isOver);
    expect(consumer.status).toBe(410);
    expect(JSON.parse(consumer.body)).toMatchObject({ code: 'log-collected', sequence: 4, availableFrom: 37 });
  });

  it('tells one that was overtaken by the collection so, and ends', async () => {
    const started = await start();
    reach(started, 5);
    const consumer = new Consumer(`${started.gateway.url}/v1/log?after=4`);
    await until(() => consumer.ids.length === 1);
    reach(started, 50);
    collect(started, 20, 50);
    await until(() => consumer.isOver);
    const last = consumer.events.at(-1);
    expect([last?.event, JSON.parse(last?.data ?? '')]).toEqual([
      'gap',
      { code: 'log-collected', sequence: 6, availableFrom: 20 },
    ]);
  });

  it('goes on when too few replicas answered for a while', async () => {
    const started = await start();
    reach(started, 1);
    const consumer = new Consumer(`${started.gateway.url}/v1/log?after=0`);
    await until(() => consumer.ids.length === 1);
    reach(started, 2);
    let attempts = 0;
    started.client.onAgreedBatch = (asked) =>
      ++attempts < 3 ? Promise.reject(new QuorateError('no-quorum', 'nobody')) : Promise.resolve(exampleBatch(asked));
    await until(() => consumer.ids.length === 2);
    expect(attempts).toBe(3);
    consumer.kill();
  });

  it.each(['-1', 'x', '1.5', '9007199254740993', ''])('refuses %j as a place', async (place) => {
    const { gateway } = await start();
    const response = await fetch(`${gateway.url}/v1/log?after=${encodeURIComponent(place)}`);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'invalid-request']);
  });

  it('refuses what has nothing to do with this log', async () => {
    const { gateway } = await start();
    expect((await fetch(`${gateway.url}/v1/log?after=9007199254740991`)).status).toBe(400);
  });
});

describe('the news of the cluster', () => {
  afterEach(stopAll);

  it('are its views, checkpoints and replicas, as f+1 know them', async () => {
    const started = await start();
    const status = exampleStatus();
    started.client.onStatus = () => status;
    const consumer = new Consumer(`${started.gateway.url}/v1/events`);
    await until(() => consumer.body.includes('retry'));
    const [first, ...others] = status.replicas;
    started.client.onStatus = () => ({
      ...status,
      view: 1,
      primary: 'replica-2',
      replicas: [
        { ...first!, connected: false, voting: false },
        ...others.map((replica, index) => ({ ...replica, stableCheckpoint: index === 0 ? 9_999 : 128 })),
      ],
    });
    await until(() => consumer.events.length === 3);
    expect(consumer.events.map(({ event, id, data }) => [event, id, JSON.parse(data) as unknown])).toEqual([
      ['view-change', undefined, { view: 1, primary: 'replica-2' }],
      ['checkpoint', undefined, { sequence: 128 }],
      ['replica', undefined, { replica: 'replica-1', connected: false, voting: false, notVoting: null }],
    ]);
    consumer.kill();
  });
});

describe('a stream', () => {
  afterEach(stopAll);

  it('is not cut off for lasting long, as a request is', () => {
    const connections = new Connections();
    const exchanges = [1, 2].map(() => {
      const socket = Object.assign(new EventEmitter(), { bytesRead: 0, destroy: () => cut.push(socket) });
      const response = Object.assign(new EventEmitter(), { shouldKeepAlive: true });
      connections.add(socket as unknown as Socket);
      return { socket, exchange: connections.open({ socket } as never, response as never) };
    });
    const cut: unknown[] = [];
    exchanges[0]?.exchange.becomeStream();
    connections.closeOverdue(-1);
    expect(cut).toEqual([exchanges[1]?.socket]);
  });

  it('ends with the gateway', async () => {
    const started = await start();
    reach(started, 1);
    const consumer = new Consumer(`${started.gateway.url}/v1/log?after=0`);
    await until(() => consumer.ids.length === 1);
    await started.gateway.close();
    await until(() => consumer.isOver);
    expect(consumer.ids).toEqual([1]);
  });

  it('is one of 256 at most; who leaves makes room', async () => {
    const started = await start();
    reach(started, 1);
    const consumers = Array.from({ length: 256 }, () => new Consumer(`${started.gateway.url}/v1/log?after=0`));
    await until(() => consumers.every(({ ids }) => ids.length === 1));
    const refused = await fetch(`${started.gateway.url}/v1/log`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    consumers[0]?.kill();
    await until(async () => {
      const one = new Consumer(`${started.gateway.url}/v1/log?after=0`);
      await until(() => one.status !== 0);
      one.kill();
      return one.status === 200;
    });
    for (const consumer of consumers) consumer.kill();
  });
});
