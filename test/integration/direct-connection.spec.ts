import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { DirectConnection, errorIn } from '../../src/redis/direct-connection.js';
import { ErrorReply } from '../../src/redis/resp.js';
import { eventually } from '../support/cluster-waiting.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';

describe('a direct connection', () => {
  let redis: TestRedis;
  let admin: Redis;
  const opened: DirectConnection[] = [];

  beforeAll(async () => {
    redis = await startTestRedis();
    admin = new Redis(redis.url);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((connection) => connection.close()));
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
  });

  async function open(options = '', url = redis.url): Promise<DirectConnection> {
    const connection = new DirectConnection(url + options);
    opened.push(connection);
    await connection.open();
    return connection;
  }

  it('gives each request the answers to its own commands, errors in their place', async () => {
    const connection = await open();
    await admin.set('text', 'not a hash');
    const asked = [
      connection.request([
        ['SET', 'one', '1'],
        ['GET', 'one'],
        ['GET', 'none'],
      ]),
      connection.request([
        ['HSET', 'text', 'f', 'v'],
        ['ECHO', Buffer.of(0, 255)],
      ]),
      connection.request([['MULTI'], ['INCR', 'one'], ['INCR', 'text'], ['EXEC']]),
    ];
    const [first, second, third] = await Promise.all(asked);
    expect(first).toEqual(['OK', Buffer.from('1'), null]);
    expect(second).toEqual([expect.any(ErrorReply), Buffer.of(0, 255)]);
    expect(errorIn(second!)?.message).toMatch(/^WRONGTYPE/);
    expect(third!.slice(0, 3)).toEqual(['OK', 'QUEUED', 'QUEUED']);
    expect(third![3]).toEqual([2, expect.any(ErrorReply)]);
    expect(errorIn(third!)?.message).toMatch(/^ERR value is not an integer/);
  });

  it('answers a request without commands at once, and gives the next one its own answer', async () => {
    const connection = await open();
    const [none, echo] = await Promise.all([connection.request([]), connection.request([['ECHO', 'mine']])]);
    expect(none).toEqual([]);
    expect(echo).toEqual([Buffer.from('mine')]);
    // Nothing waits for an answer that belongs to another: the last one comes without a push from the next request.
    expect(await connection.request([['ECHO', 'last']])).toEqual([Buffer.from('last')]);
  });

  it.each(['', '?protocol=2'])('hears what is published, between its own answers (%s)', async (options) => {
    const hearing = await open(options);
    const heard: string[] = [];
    hearing.onMessage = (channel, payload) => heard.push(`${channel} ${payload.toString()}`);
    const answers = await hearing.request([
      ['SUBSCRIBE', 'here'],
      ['SUBSCRIBE', 'there'],
    ]);
    expect(errorIn(answers)).toBeUndefined();
    const saying = await open();
    const large = 'x'.repeat(300_000);
    const said = [
      ['here', '1'],
      ['elsewhere', '2'],
      ['there', large],
      ['here', '3'],
    ] as const;
    await saying.request(said.map(([channel, payload]) => ['PUBLISH', channel, payload]));
    await hearing.request([['PING']]);
    await eventually('all is heard', () => heard.length === 3);
    expect(heard).toEqual(['here 1', `there ${large}`, 'here 3']);
  });

  it('logs in as its URL says, and says it when it may not do something', async () => {
    await admin.call('ACL', 'SETUSER', 'deaf', 'on', '>secret', 'allcommands', 'allkeys', 'resetchannels');
    const connection = await open('', redis.url.replace('//', '//deaf:secret@'));
    const answers = await connection.request([
      ['SUBSCRIBE', 'here'],
      ['ACL', 'WHOAMI'],
    ]);
    expect(errorIn(answers)?.message).toMatch(/^NOPERM/);
    expect(answers[1]).toEqual(Buffer.from('deaf'));
  });

  it('fails what is not answered when it is cut, what is asked while it is away, and stands again by itself', async () => {
    const connection = await open();
    const [id] = await connection.request([['CLIENT', 'ID']]);
    const waiting = connection.request([['BLPOP', 'nothing', '0']]);
    const cut = expect(waiting).rejects.toThrow('the connection was lost');
    await eventually('it waits', async () =>
      /cmd=blpop/.test(String(await admin.call('CLIENT', 'LIST', 'ID', String(id)))),
    );
    await admin.call('CLIENT', 'KILL', 'ID', String(id));
    await cut;
    expect(connection.connected).toBe(false);
    await expect(connection.request([['PING']])).rejects.toThrow('it is not connected');
    await eventually('it stands again', () => connection.connected);
    expect(await connection.request([['PING']])).toEqual(['PONG']);
  });

  it('has sent everything before it closes', async () => {
    const connection = await open();
    connection.request([['SET', 'last', 'word']]).catch(() => undefined);
    await connection.close();
    expect(await admin.get('last')).toBe('word');
    await expect(connection.request([['PING']])).rejects.toThrow('it is not connected');
  });

  describe('to somebody who is no Redis', () => {
    let server: Server;
    let said: (socket: Socket) => void = () => undefined;
    let pong = '+PONG';
    let connections = 0;
    const sockets: Socket[] = [];

    beforeAll(async () => {
      server = createServer((socket) => {
        connections++;
        sockets.push(socket);
        socket.on('error', () => undefined);
        // As much of Redis as ioredis asks for before it is ready; then what the test has it say.
        socket.on('data', (bytes) => {
          for (const command of bytes.toString().match(/^(HELLO|CLIENT|INFO|PING|ASK)\r$/gim) ?? []) {
            if (/INFO/i.test(command)) socket.write('$0\r\n\r\n');
            else if (/ASK/i.test(command)) said(socket);
            else if (/PING/i.test(command)) socket.write(`${pong}\r\n`);
            else socket.write('+OK\r\n');
          }
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterAll(async () => {
      for (const socket of sockets) socket.destroy(); // one is not read from, and would never see its end
      await new Promise((resolve) => server.close(resolve));
    });

    const large = Buffer.alloc(65 * 1024 * 1024);

    it('keeps 64 MiB at most of what promises nothing, and a larger turn none the less', async () => {
      const { port } = server.address() as AddressInfo;
      const connection = await open('', `redis://127.0.0.1:${String(port)}`);
      const before = connections;
      said = (socket) => void socket.pause();
      const asked = connection.request([['ASK']]);
      const turn = connection.request([['SET', 'a', large]]);
      const lost = [asked, turn].map(async (one) => expect(one).rejects.toThrow('the connection was lost'));
      for (const payload of ['one', 'two']) {
        await expect(connection.announce([['PUBLISH', 'c', payload]])).rejects.toThrow('Redis does not take');
      }
      expect([connection.connected, connections]).toEqual([true, before]);
      await Promise.all(lost); // by the heartbeat, since nothing moves
      expect(connections).toBe(before);
    });

    it('gets a turn through that takes longer than a heartbeat may, with heartbeats and announcements behind it', async () => {
      const { port } = server.address() as AddressInfo;
      const connection = await open('', `redis://127.0.0.1:${String(port)}`);
      const before = connections;
      // A few hundred kilobytes, one kernel's buffer, at each look: far longer than a heartbeat may take, and always on the move.
      const link = sockets.at(-1)!;
      const slowly = setInterval(() => link.resume(), 10);
      const pause = (): void => void link.pause();
      link.on('data', pause);
      const announcing = setInterval(() => void connection.announce([['PING']]).catch(() => undefined), 50);
      const turn = connection.request([['PING', large], ['PING']]);
      const answers = await turn.finally(() => {
        clearInterval(announcing);
        clearInterval(slowly);
        link.off('data', pause).resume();
      });
      expect(answers).toEqual(['PONG', 'PONG']);
      expect(connections).toBe(before);
    });

    it('is cut when its heartbeat gets an answer to something else', async () => {
      const { port } = server.address() as AddressInfo;
      const connection = await open('', `redis://127.0.0.1:${String(port)}`);
      const before = connections;
      pong = ':1'; // such as an answer to the command before
      await eventually('it is made anew', () => connections > before);
      pong = '+PONG';
      await eventually('it is there again', () => connection.connected);
    });

    it('counts no push as an answer but the confirmation of a subscription', async () => {
      const { port } = server.address() as AddressInfo;
      const connection = await open('', `redis://127.0.0.1:${String(port)}`);
      const before = connections;
      said = (socket) =>
        void socket.write('>2\r\n$10\r\ninvalidate\r\n_\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n');
      expect(await connection.request([['ASK']])).toEqual([[Buffer.from('subscribe'), Buffer.from('c'), 1]]);
      said = (socket) => void socket.write('>2\r\n$10\r\ninvalidate\r\n_\r\n:7\r\n');
      expect(await connection.request([['ASK'], ['PING']])).toEqual([7, 'PONG']);
      expect(connections).toBe(before);
    });

    it.each([
      ['says what no Redis says', '?\r\n'],
      ['announces a text without end', '$99999999999\r\n'],
      ['answers what was not asked', '+one\r\n+two\r\n'],
    ])('is cut when it %s', async (_, bytes) => {
      const { port } = server.address() as AddressInfo;
      const connection = await open('', `redis://127.0.0.1:${String(port)}`);
      const before = connections;
      said = (socket) => void socket.write(bytes);
      await connection.request([['ASK']]).catch(() => undefined);
      await eventually('it is made anew', () => connections > before && connection.connected);
    });
  });
});
