import { readSync } from 'node:fs';
import { createConnection, type NetConnectOpts, type Socket } from 'node:net';
import { AbstractConnector } from 'ioredis';

/** What is read at once, at most, bytes: as much as Node.js reads. */
const readBytesMax = 64 * 1024;

/** So often is a socket read at once, at most, as by Node.js. */
const readsMax = 32;

/** Where a socket has what `lookIn` does. */
const looking = Symbol('lookIn');
type Looking = Socket & { [looking]?: () => void };

interface Options {
  readonly disconnectTimeout: number;
  readonly path?: string | null;
  readonly host?: string;
  readonly port?: number;
  readonly family?: number;
}

/**
 * Makes ioredis's sockets, each of which reads into one buffer of its own and hands on a copy of what has come. Node.js else allocates
 * 64 KiB for every read and gives most of it back, which costs more than to copy the few hundred bytes of a message. Not for TLS, where it
 * has no such buffer.
 */
export class Connector extends AbstractConnector {
  private readonly options: Options;

  /** @param options ioredis's own */
  constructor(options: unknown) {
    super((options as Options).disconnectTimeout);
    this.options = options as Options;
  }

  /** @throws what `createConnection` does: a place that is none */
  async connect(): Promise<Socket> {
    const { path, host, port, family } = this.options;
    const place = typeof path === 'string' ? { path } : { host, port, family };
    const buffer = Buffer.allocUnsafeSlow(readBytesMax);
    let isReading = false;
    const callback = (length: number): boolean => {
      isReading = true;
      try {
        socket.emit('data', Buffer.from(buffer.subarray(0, length)));
      } finally {
        isReading = false;
      }
      return true;
    };
    const socket: Looking = createConnection({ ...place, onread: { buffer, callback } } as NetConnectOpts);
    socket[looking] = () => {
      for (let reads = 0; reads < readsMax && !isReading; reads++) {
        const length = readNow(socket, buffer);
        if (length > 0) callback(length);
        if (length < readBytesMax) return;
      }
    };
    this.connecting = true;
    this.stream = socket;
    socket.once('error', (error) => {
      this.firstError = error;
    });
    return Promise.resolve(socket);
  }
}

/**
 * Has a socket of `Connector` hand on what has arrived, in the middle of a turn of the event loop: in one turn Node.js reads every socket that is
 * ready, and with thousands of busy ones that takes half a second. Does nothing for other sockets, nor from within what a read calls.
 */
export function lookIn(socket: Socket): void {
  (socket as Looking)[looking]?.();
}

/**
 * Bytes that were read; 0 where there are none, or no more will come: the event loop is told of the end, too. The descriptor is no public part of a
 * socket, and there is none on Windows.
 */
function readNow(socket: Socket, buffer: Buffer): number {
  const { _handle: handle } = socket as { _handle?: { fd?: number } | null };
  if (socket.connecting || handle?.fd === undefined || handle.fd < 0) return 0;
  try {
    return readSync(handle.fd, buffer);
  } catch {
    return 0; // EAGAIN; of anything else the event loop sees at least that it is the end
  }
}
