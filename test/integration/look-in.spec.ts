import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Subscription } from '../../src/ports/bus.js';
import { Keys } from '../../src/redis/keys.js';
import { RedisBus } from '../../src/redis/redis-bus.js';
import { eventually } from '../support/cluster-waiting.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';

const keys = new Keys('looked-into');
/** More of three such than one read takes. */
const largeBytes = 40 * 1024;

/** Another process, since this one is to stand still: publishes messages of one letter each, and ends once Redis has taken them. */
const publishing = `
  const [url, channel, letters, bytes] = process.argv.slice(1);
  const { hostname, port } = new URL(url);
  const socket = require('node:net').connect(Number(port), hostname);
  const part = (text) => '$' + text.length + '\\r\\n' + text + '\\r\\n';
  const command = (letter) => '*3\\r\\n' + part('PUBLISH') + part(channel) + part(letter.repeat(Number(bytes)));
  let answers = '';
  socket.on('data', (chunk) => (answers += chunk).split('\\r\\n').length > letters.length && socket.destroy());
  socket.write([...letters].map(command).join(''));
`;

describe('a subscription that is looked into', () => {
  let redis: TestRedis;
  let subscription: Subscription;
  let heard: string[] = [];
  let depth = 0;

  beforeAll(async () => {
    redis = await startTestRedis();
  });
  afterEach(async () => {
    await subscription.close();
    heard = [];
  });
  afterAll(() => redis.stop());

  async function subscribe(onPayload: () => void = () => undefined): Promise<void> {
    subscription = await new RedisBus(redis.url, keys).subscribe(['request'], {
      onPayload: (_, payload) => {
        depth++;
        heard.push(`${depth} deep, ${payload.length} × ${payload.toString('latin1', 0, 1)}`);
        onPayload();
        depth--;
      },
      onConnected: () => undefined,
      onDisconnected: () => undefined,
    });
  }

  function publish(letters: string, bytes: number): void {
    execFileSync(process.execPath, ['-e', publishing, redis.url, keys.channel('request'), letters, String(bytes)]);
  }

  /** Looks until so many are heard, in one turn of the event loop. */
  function look(count: number): void {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 0; tries < 1_000 && heard.length < count; tries++) {
      subscription.lookIn?.();
      Atomics.wait(cell, 0, 0, 5);
    }
  }

  it('hands on what has arrived in the middle of a turn of the event loop', async () => {
    await subscribe();
    subscription.lookIn?.(); // there is nothing
    publish('a', 3);
    look(1);
    expect(heard).toEqual(['1 deep, 3 × a']);
  });

  it('hands on one message after the other, in their order, whoever looks meanwhile', async () => {
    await subscribe(() => subscription.lookIn?.());
    publish('abc', largeBytes);
    look(3);
    const each = (letter: string) => `1 deep, ${largeBytes} × ${letter}`;
    expect(heard).toEqual(['a', 'b', 'c'].map(each));
  });

  it('goes on as before, and is silent once it is closed', async () => {
    await subscribe();
    publish('a', 1);
    look(1);
    publish('b', 1);
    await eventually('the next one is heard in a turn of its own', () => heard.length === 2);
    expect(heard).toEqual(['1 deep, 1 × a', '1 deep, 1 × b']);
    await subscription.close();
    publish('c', 1);
    subscription.lookIn?.();
    expect(heard).toHaveLength(2);
  });
});
