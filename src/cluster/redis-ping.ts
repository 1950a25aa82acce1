import { connect, type NetConnectOpts } from 'node:net';

/** What is at a place where a Redis should be. */
export type PingResult =
  | 'ready'
  /** It answers, but still loads its data. */
  | 'loading'
  /** Somebody accepted the connection and did not answer like a Redis, or not at all. */
  | 'silent'
  /** Nobody listens there. */
  | 'absent';

/** Where an embedded Redis listens. */
export type RedisAddress = { readonly path: string } | { readonly port: number };

/** As REDIS_URL may be set to it. A socket goes by its bare path, which needs no quoting of any character. */
export function urlOf(address: RedisAddress): string {
  return 'path' in address ? address.path : `redis://127.0.0.1:${String(address.port)}`;
}

/** One PING on a connection of its own. Settles within `timeoutMs` whatever the other side does, closing included. */
export async function pingRedis(address: RedisAddress, timeoutMs: number): Promise<PingResult> {
  const answer = await askRedis(address, 'PING', timeoutMs);
  if (answer === undefined) return 'absent';
  // -NOAUTH is an answer, too; an embedded Redis has no password, so it is somebody else's.
  if (answer.startsWith('+PONG')) return 'ready';
  return answer.startsWith('-LOADING') ? 'loading' : 'silent';
}

/**
 * @returns the first bytes of the answer, as they came; empty when the connection was accepted and nothing came in time;
 *   `undefined` when nobody listens there
 */
export async function askRedis(address: RedisAddress, command: string, timeoutMs: number): Promise<string | undefined> {
  return await new Promise((settle) => {
    const options: NetConnectOpts = 'path' in address ? { path: address.path } : { ...address, host: '127.0.0.1' };
    const socket = connect(options);
    let isAccepted = false;
    // Not the socket's own time-out, which begins anew with every byte.
    const timer = setTimeout(() => {
      end('');
    }, timeoutMs);
    const end = (answer: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      settle(answer);
    };
    socket.on('connect', () => {
      isAccepted = true;
      socket.write(`${command}\r\n`);
    });
    socket.setEncoding('utf8').once('data', end);
    const gone = (): void => {
      end(isAccepted ? '' : undefined);
    };
    socket.on('error', gone).on('close', gone);
  });
}
