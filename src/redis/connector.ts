import { createConnection, type NetConnectOpts, type Socket } from 'node:net';
import { AbstractConnector } from 'ioredis';

/** What is read at once, at most, bytes: as much as Node.js reads. */
const readBytesMax = 64 * 1024;

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
    const callback = (length: number): boolean => {
      socket.emit('data', Buffer.from(buffer.subarray(0, length)));
      return true;
    };
    const socket = createConnection({ ...place, onread: { buffer, callback } } as NetConnectOpts);
    this.connecting = true;
    this.stream = socket;
    socket.once('error', (error) => {
      this.firstError = error;
    });
    return Promise.resolve(socket);
  }
}
