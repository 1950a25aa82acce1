import type { Socket } from 'node:net';
import { commandTimeoutMs, Connection } from './connection.js';
import { lookIn } from './connector.js';
import { encodeCommands, ErrorReply, ProtocolViolation, RespDecoder, type Command, type Reply } from './resp.js';
import { within } from './within.js';

/** While more waits to be taken by Redis, nothing is said that promises nothing. */
const unsentBytesMax = 64 * 1024 * 1024;
/** Of what was sent, as much may lie where nobody sees it move: in kernels, and in a Redis that writes it to its disk. */
const hiddenBytesMax = 8 * 1024 * 1024;
/** A link, or a disk, that is slower than this is as good as gone, bytes a millisecond. */
const slowestBytesPerMs = 1024;

/** Others are heard for so long, milliseconds, before an answer that may wait behind them. */
const unansweredMaxMs = 5_000;

const messageKind = Buffer.from('message');
const subscribeKind = Buffer.from('subscribe');
const pong = Buffer.from('pong');
const protocolName = Buffer.from('proto');

/** Commands that were sent together. */
interface Request {
  readonly replies: Reply[];
  /** How many answers are to come. */
  readonly expected: number;
  readonly bytes: number;
  resolve(replies: readonly Reply[]): void;
  reject(error: Error): void;
}

/**
 * A connection for what is said most: turns of the outbox, and what is published and heard. ioredis makes it, authenticates, and
 * makes it anew; once it is ready, commands go out in one write and come back without ioredis, whose objects for each command
 * were the largest cost of a message after its signatures (docs/performance.md). Whatever is not answered when the connection
 * breaks has failed; the heartbeat breaks one that does not answer.
 */
export class DirectConnection extends Connection {
  /** Hears what is published on channels that were subscribed to. */
  onMessage: (channel: string, payload: Buffer) => void = () => undefined;
  /** How often the connection was lost. */
  losses = 0;
  private stream: Socket | undefined;
  private requests: Request[] = [];
  /** What was sent and is not answered, bytes. */
  private underWay = 0;
  /** When something was last seen to go on, milliseconds of the process's clock. */
  private movedAt = 0;
  /** When Redis last answered, or was first asked again: one may hear others where nothing that one says gets through. */
  private answeredAt = 0;

  constructor(url: string) {
    super(url);
    this.redis.on('ready', () => {
      this.takeOver();
    });
    this.redis.on('close', () => {
      this.losses++;
      this.giveUp();
    });
  }

  override get connected(): boolean {
    return this.stream !== undefined && super.connected;
  }

  /**
   * Sends commands together. They wait for as long as Redis takes what was sent before, whatever its size: a turn, of which one
   * is under way at a time, must get through in the end.
   * @returns their answers, errors among them, one for each
   * @throws {Error} when the connection is not there, or is gone before all are answered: they may have been carried out
   */
  request(commands: readonly Command[]): Promise<readonly Reply[]> {
    if (commands.length === 0) return Promise.resolve([]); // Redis would never answer, and all answers be one request late
    const { stream } = this;
    if (stream === undefined) return Promise.reject(new Error('it is not connected'));
    return new Promise((resolve, reject) => {
      const encoded = encodeCommands(commands);
      const bytes = encoded.length;
      if (this.requests.length === 0) this.movedAt = this.answeredAt = performance.now();
      this.underWay += bytes;
      this.requests.push({ replies: [], expected: commands.length, bytes, resolve, reject });
      stream.write(encoded);
    });
  }

  /**
   * As `request`, for what promises nothing: such things come at any time and wait for nobody, so they are refused while much
   * waits already.
   */
  announce(commands: readonly Command[]): Promise<readonly Reply[]> {
    const isFull = (this.stream?.writableLength ?? 0) > unsentBytesMax;
    return isFull ? Promise.reject(new Error('Redis does not take what is sent')) : this.request(commands);
  }

  /**
   * Whether this connection can be asked and hear at the same time: only in RESP 3, on which ioredis agrees with every Redis that speaks
   * it (6.0 and later).
   * @throws {Error} as `request`
   */
  async isDuplex(): Promise<boolean> {
    const [answer] = await this.request([['HELLO']]);
    if (!Array.isArray(answer)) return false; // it knows no HELLO
    const about = answer as readonly Reply[];
    return about[about.findIndex((name) => Buffer.isBuffer(name) && name.equals(protocolName)) + 1] === 3;
  }

  /** Takes what has arrived by now, without waiting for the event loop to come round to it. */
  lookIn(): void {
    if (this.stream !== undefined) lookIn(this.stream);
  }

  /** An answer to something else says that answers are not in their places: such a connection is as good as gone, too. */
  protected override async ping(): Promise<void> {
    await this.isAnswering();
  }

  /** What was sent before has been carried out. */
  protected override async finish(): Promise<void> {
    while (!(await this.isAnswering()));
  }

  /**
   * Whether a PING is answered in time. It is not while something large is on its way before it, and that is no reason to break
   * the connection, which would lose the large thing, and again each time that it is tried.
   * @throws when the connection is as good as gone
   */
  private async isAnswering(): Promise<boolean> {
    const before = leaving(this.stream);
    const late = new Error('it does not answer');
    try {
      const [answer] = await within(commandTimeoutMs, this.request([['PING']]), () => late);
      if (!isPong(answer)) throw new Error('it answers something else');
      return true;
    } catch (error) {
      if (error !== late) throw error;
      const now = performance.now();
      const after = leaving(this.stream);
      if (before.queued > 0 && after.left > before.left) this.movedAt = this.answeredAt = now;
      const patienceMs = Math.min(this.underWay, hiddenBytesMax) / slowestBytesPerMs;
      const isSilent = now - this.movedAt > patienceMs || now - this.answeredAt > patienceMs + unansweredMaxMs;
      if (isSilent) throw error;
      return false;
    }
  }

  /** ioredis has nothing under way on a connection that has just become ready, and is asked for nothing from now on. */
  private takeOver(): void {
    const { socket } = this;
    if (socket === undefined) return;
    this.giveUp();
    this.stream = socket;
    const decoder = new RespDecoder((value, isPush) => {
      if (this.stream === socket) this.onValue(value, isPush);
    });
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      this.movedAt = performance.now();
      try {
        decoder.write(chunk);
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error; // a defect of whoever listens
        socket.destroy(error);
      }
    });
  }

  private giveUp(): void {
    this.stream = undefined;
    this.underWay = 0;
    for (const request of this.requests.splice(0)) request.reject(new Error('the connection was lost'));
  }

  private onValue(value: Reply, isPush: boolean): void {
    if (isMessage(value)) {
      this.onMessage(value[1].toString(), value[2]);
      return;
    }
    if (isPush && !isConfirmation(value)) return;
    const request = this.requests[0];
    if (request === undefined) return this.renew(); // an answer to nothing: no other can be trusted to be in its place
    this.answeredAt = performance.now();
    request.replies.push(value);
    if (request.replies.length < request.expected) return;
    this.requests.shift();
    this.underWay -= request.bytes;
    request.resolve(request.replies);
  }
}

/**
 * Bytes that this process still holds of what was written, and those that the kernel has taken. A write is one thing to
 * Node.js, however large: how it goes on shows only in the handle, which is no public part of a socket.
 */
function leaving(stream: Socket | undefined): { readonly queued: number; readonly left: number } {
  const { _handle: handle } = (stream ?? {}) as { _handle?: { bytesWritten?: number; writeQueueSize?: number } | null };
  const queued = handle?.writeQueueSize ?? 0;
  return { queued, left: (handle?.bytesWritten ?? 0) - queued };
}

/** Of what is heard here only this begins with a text: an answer to EXEC has numbers. */
function isMessage(value: Reply): value is readonly [Buffer, Buffer, Buffer] {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [kind, channel, payload] = value as readonly Reply[];
  return Buffer.isBuffer(kind) && kind.equals(messageKind) && Buffer.isBuffer(channel) && Buffer.isBuffer(payload);
}

/** The answer to SUBSCRIBE. Whatever else is pushed, what client tracking tells, say, was not asked for here. */
function isConfirmation(value: Reply): boolean {
  const kind = Array.isArray(value) ? (value as readonly Reply[])[0] : undefined;
  return Buffer.isBuffer(kind) && kind.equals(subscribeKind);
}

/** In RESP 2 a connection that subscribes is answered with a list. A Redis that refuses all commands is there all the same. */
function isPong(answer: Reply | undefined): boolean {
  if (answer instanceof ErrorReply) return true;
  const text = Array.isArray(answer) ? (answer as readonly Reply[])[0] : answer;
  return Buffer.isBuffer(text) ? text.equals(pong) : text === 'PONG';
}

/** The first error among answers, those to a transaction's commands included. */
export function errorIn(replies: readonly Reply[]): ErrorReply | undefined {
  for (const reply of replies) {
    const error = reply instanceof ErrorReply ? reply : Array.isArray(reply) ? errorIn(reply) : undefined;
    if (error !== undefined) return error;
  }
  return undefined;
}
