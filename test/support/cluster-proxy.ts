import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

type Mode =
  | 'forwarding'
  /** Takes bytes and connections and never answers, closes nothing. */
  | 'silent'
  /** Closes whatever comes. */
  | 'closed';

/** One client's connection and where it leads to. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket | undefined;
  /** What was begun in silence stays silent: its bytes are lost. */
  isSilent: boolean;
  /** What the client says is lost, and what it is told is not. */
  isMute: boolean;
}

/** A wire that can be cut, between a client and a Redis that listens on TCP. */
export class TcpProxy {
  /** Connections that were ever made. */
  accepted = 0;
  private mode: Mode = 'forwarding';
  private readonly pairs = new Set<Pair>();

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (client) => {
      this.accept(client);
    });
  }

  /** @param url of a Redis on TCP */
  static async to(url: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(url);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(server, { host: hostname, port: Number(port) });
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Connections that are open on the client's side. */
  get connections(): number {
    return this.pairs.size;
  }

  /** Forwards nothing more and closes nothing: the connection looks alive to whoever does not ask for an answer. */
  blackHole(): void {
    this.mode = 'silent';
    for (const pair of this.pairs) pair.isSilent = true;
  }

  /** Forwards nothing more of what clients say on the connections that there are. */
  mute(): void {
    for (const pair of this.pairs) pair.isMute = true;
  }

  /** Closes all connections, and new ones at once. */
  cut(): void {
    this.mode = 'closed';
    this.closeAll();
  }

  /** Forwards what connects from now on. */
  heal(): void {
    this.mode = 'forwarding';
  }

  async close(): Promise<void> {
    this.closeAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    this.accepted++;
    client.on('error', () => undefined);
    if (this.mode === 'closed') {
      client.destroy();
      return;
    }
    const isSilent = this.mode === 'silent';
    const server = isSilent ? undefined : connect(this.target);
    const pair: Pair = { client, server, isSilent, isMute: false };
    this.pairs.add(pair);
    client.setNoDelay(true);
    server?.setNoDelay(true);
    client.on('data', (bytes) => {
      if (!pair.isSilent && !pair.isMute) server?.write(bytes);
    });
    server?.on('data', (bytes) => {
      if (!pair.isSilent) client.write(bytes);
    });
    client.on('close', () => {
      this.pairs.delete(pair);
      server?.destroy();
    });
    server?.on('error', () => undefined);
    server?.on('close', () => {
      if (!pair.isSilent) client.destroy();
    });
  }

  private closeAll(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server?.destroy();
    }
  }
}
