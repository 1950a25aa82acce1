import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import type { Reply } from '../../../src/crypto/receipt.js';
import { createGateway, type Gateway, type GatewayOptions } from '../../../src/gateway/gateway.js';
import { problemSchema } from '../../../src/gateway/schemas.js';
import { exampleStatus, FakeClusterClient, Gate } from '../../support/fake-cluster-client.js';

const machine: GatewayOptions['stateMachine'] = {
  name: 'key-value@1',
  operation: z.discriminatedUnion('op', [
    z.strictObject({ op: z.literal('put'), key: z.string().max(100), value: z.json() }),
    z.strictObject({ op: z.literal('delete'), key: z.string() }),
  ]),
  query: () => undefined,
};

export const PUT = { operation: { op: 'put', key: 'a', value: 1 } };
export const BODY = JSON.stringify(PUT);
/** More than the buffers of a loopback connection hold. */
export const LARGE = 32 * 1024 * 1024;

export interface Started {
  readonly gateway: Gateway;
  readonly client: FakeClusterClient;
  readonly logged: { facts: Record<string, unknown>; message: string }[];
}

const running: Gateway[] = [];

/** A gateway that listens, over a fake cluster; `stopAll` ends it. */
export async function start(options: Partial<GatewayOptions> = {}): Promise<Started> {
  const client = new FakeClusterClient();
  const logged: Started['logged'] = [];
  const log = (facts: object, message: string): void => {
    logged.push({ facts: facts as Record<string, unknown>, message });
  };
  const gateway = await createGateway(client, {
    stateMachine: machine,
    bodyBytesMax: 4096,
    inFlightMax: 16,
    deadlineMs: 10_000,
    host: '127.0.0.1',
    port: 0,
    logger: { info: log, warn: log, error: log },
    ...options,
  });
  await gateway.listen();
  running.push(gateway);
  return { gateway, client, logged };
}

export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((gateway) => gateway.close()));
}

/** Polls until `condition` holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A request that the gateway has taken and that the cluster will answer once the gate is opened; and its connection. */
export async function submitHeld({
  gateway,
  client,
}: Started): Promise<{ readonly raw: RawClient; readonly gate: Gate<Reply> }> {
  const gate = new Gate<Reply>();
  client.onSubmit = () => gate.wait();
  const raw = await RawClient.connect(gateway.url);
  raw.send(...rawPost(BODY));
  await until(() => gate.arrivals === 1);
  return { raw, gate };
}

/** A probe asks the client, so that it is known when the gateway has seen what came before it on a connection. */
export const PROBE = 'GET /health/ready HTTP/1.1\r\nHost: g\r\n\r\n';

/** Resolves when the gateway asks the client for its status. */
export function statusAsked(client: FakeClusterClient): Promise<void> {
  return new Promise((resolve) => {
    client.onStatus = () => {
      resolve();
      return exampleStatus();
    };
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A bare TCP client: it sends what no HTTP library would, and reads answers one after the other. */
export class RawClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Sends lines joined with CRLF; the empty line after the headers is the caller's to give. */
  send(...lines: readonly string[]): void {
    this.#socket.write(lines.join('\r\n'));
  }

  /** Takes nothing more from the connection. */
  pause(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next whole answer; 1xx are answers, too. */
  async answer(): Promise<Answer> {
    await until(() => this.#parse() !== undefined || this.closed);
    const parsed = this.#parse();
    if (parsed === undefined) throw new Error(`closed without an answer, after ${this.#received.toString('latin1')}`);
    this.#received = this.#received.subarray(parsed.length);
    return parsed;
  }

  async untilClosed(): Promise<void> {
    await until(() => this.closed);
  }

  /** What has come in and was not taken as an answer. */
  get rest(): string {
    return this.#received.toString('latin1');
  }

  #parse(): (Answer & { length: number }) | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [first = '', ...lines] = this.#received.subarray(0, end).toString('latin1').split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const length = end + 4 + Number(headers['content-length'] ?? 0);
    if (this.#received.length < length) return undefined;
    const body = this.#received.subarray(end + 4, length).toString();
    return { status: Number(first.split(' ')[1]), headers, body, length };
  }
}

export type Problem = z.infer<typeof problemSchema>;

/** Checks that an answer is an RFC 9457 problem that agrees with itself, and returns it. */
export function problemIn(answer: {
  status: number;
  headers: Readonly<Record<string, unknown>> | Headers;
  body?: unknown;
}): Problem {
  const contentType =
    answer.headers instanceof Headers ? answer.headers.get('content-type') : answer.headers['content-type'];
  if (contentType !== 'application/problem+json') throw new Error(`not a problem: ${String(contentType)}`);
  const body: unknown = typeof answer.body === 'string' ? JSON.parse(answer.body) : answer.body;
  const problem = problemSchema.parse(body);
  if (problem.status !== answer.status) throw new Error('the status differs from the status line');
  if (problem.type !== `urn:quorate:problem:${problem.code}`) throw new Error('the type differs from the code');
  if (!/^urn:uuid:[0-9a-f-]{36}$/.test(problem.instance)) throw new Error('the instance is no URN');
  return problem;
}

/** A POST with a JSON body, for `RawClient`. */
export function rawPost(body: string, ...headers: readonly string[]): readonly string[] {
  const length = String(Buffer.byteLength(body));
  const fixed = ['POST /v1/requests HTTP/1.1', 'Host: gateway', 'Content-Type: application/json'];
  return [...fixed, `Content-Length: ${length}`, ...headers, '', body];
}
