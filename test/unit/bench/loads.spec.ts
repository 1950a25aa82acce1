import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { benchModule } from './support.js';

interface Answer {
  readonly status: number;
  readonly hasRetryAfter: boolean;
}

const { HttpConnection, postOf } = await benchModule<{
  HttpConnection: new (url: URL) => {
    readonly isOpen: boolean;
    send(request: Buffer, settle: (answer: Answer) => void): void;
    close(): void;
  };
  postOf(url: URL, json: string): Buffer;
}>('processes/http-connection.mjs');
const { GrpcConnection } = await benchModule<{
  GrpcConnection: new (to: object) => { call(message: Buffer): Promise<boolean>; close(): void };
}>('processes/grpc-connection.mjs');
const { CleanUp } = await benchModule<{
  CleanUp: new () => {
    add(end: () => Promise<void> | void, kill?: () => void): void;
    within(work: (inner: { add(end: () => void): void }) => Promise<void>): Promise<void>;
    run(): Promise<void>;
    kill(): void;
  };
}>('processes/cleanup.mjs');

let ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends) end();
  ends = [];
});

async function listening(server: NetServer): Promise<number> {
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('an HTTP connection', () => {
  const connectTo = async (server: Server) => {
    const url = new URL(`http://127.0.0.1:${String(await listening(server))}/v1/requests`);
    const connection = new HttpConnection(url);
    ends.push(() => connection.close());
    const post = (json: string) => new Promise((settle) => connection.send(postOf(url, json), settle));
    return { connection, post };
  };

  it('posts one request after the other on one connection', async () => {
    const seen: string[] = [];
    const server = createHttpServer((request, response) => {
      void textOf(request).then((body) => {
        seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
        response.setHeader('content-length', 4).write('12');
        response.end('34'); // in two chunks
      });
    });
    let connections = 0;
    server.on('connection', () => connections++);
    const { post } = await connectTo(server);
    expect(await post('{"a":"ä"}')).toEqual({ status: 200, hasRetryAfter: false });
    expect(await post('{"b":2}')).toEqual({ status: 200, hasRetryAfter: false });
    const head = 'POST /v1/requests application/json';
    expect(seen).toEqual([`${head} {"a":"ä"}`, `${head} {"b":2}`]);
    expect(connections).toBe(1);
  });

  it('tells a refusal with Retry-After, and a connection that broke', async () => {
    let count = 0;
    const server = createHttpServer((request, response) => {
      if (count++ > 0) request.socket.destroy();
      else response.writeHead(429, { 'retry-after': '1', 'content-length': 0 }).end();
    });
    const { connection, post } = await connectTo(server);
    expect(await post('{}')).toEqual({ status: 429, hasRetryAfter: true });
    expect(await post('{}')).toEqual({ status: 0, hasRetryAfter: false });
    expect(connection.isOpen).toBe(false);
  });
});

describe('a gRPC connection', () => {
  it('calls a method many times at once, past the flow control window, and tells answers from errors', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const message = Buffer.concat(chunks).subarray(5);
        const isGood = headers[':path'] === '/a.B/C' && headers['content-type'] === 'application/grpc';
        const type = { ':status': 200, 'content-type': 'application/grpc' };
        if (!isGood || message[0] === 0) {
          stream.respond({ ...type, 'grpc-status': '13' }, { endStream: true });
          return;
        }
        stream.respond(type, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from([0, 0, 0, 0, 0]));
      });
    });
    const connection = new GrpcConnection({ host: '127.0.0.1', port: await listening(server), path: '/a.B/C' });
    ends.push(() => connection.close());
    const calls = Array.from({ length: 300 }, () => connection.call(Buffer.alloc(1_000, 1)));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([true]));
    expect(await connection.call(Buffer.alloc(10, 0))).toBe(false);
    connection.close();
    expect(await connection.call(Buffer.alloc(10, 1))).toBe(false);
  });
});

describe('the clean-up', () => {
  it('undoes what was begun, last first, when the work fails, too', async () => {
    const done: string[] = [];
    const cleanUp = new CleanUp();
    cleanUp.add(() => void done.push('outer'));
    const work = cleanUp.within(async (inner) => {
      inner.add(() => void done.push('first'));
      inner.add(() => void done.push('second'));
      throw new Error('it failed');
    });
    await expect(work).rejects.toThrow('it failed');
    expect(done).toEqual(['second', 'first']);
    await cleanUp.run();
    await cleanUp.run();
    expect(done).toEqual(['second', 'first', 'outer']);
  });

  it('keeps its order when it is asked for twice at once, as a Ctrl-C in the middle does', async () => {
    const done: string[] = [];
    const cleanUp = new CleanUp();
    cleanUp.add(() => void done.push('folder'));
    cleanUp.add(async () => {
      await new Promise((settle) => setImmediate(settle));
      done.push('process in it');
    });
    await Promise.all([cleanUp.run(), cleanUp.run()]);
    expect(done).toEqual(['process in it', 'folder']);
  });

  it('kills at once what is under way, when the process exits in the middle of it', async () => {
    const done: string[] = [];
    const cleanUp = new CleanUp();
    cleanUp.add(
      () => void done.push('ended'),
      () => void done.push('killed'),
    );
    cleanUp.kill();
    await cleanUp.run();
    expect(done).toEqual(['killed']);
    // What starts only now is killed, too.
    expect(() =>
      cleanUp.add(
        () => undefined,
        () => void done.push('late'),
      ),
    ).toThrow('interrupted');
    expect(done).toEqual(['killed', 'late']);
  });
});
