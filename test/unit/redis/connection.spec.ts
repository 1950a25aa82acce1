import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Connection } from '../../../src/redis/connection.js';

const tlsHandshake = 0x16;
const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** The first byte that a connection says to a server which never answers. */
async function firstByte(urlAt: (port: number) => string): Promise<number | undefined> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = new Connection(urlAt(port));
  const opened = connection.open().catch(() => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  endings.push(async () => {
    await connection.close();
    socket.destroy();
    server.close();
    await opened;
  });
  socket.on('error', () => undefined);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes[0];
}

describe('a connection', () => {
  it.each(['rediss://127.0.0.1:PORT', 'redis://127.0.0.1:PORT?tls=true', 'redis://127.0.0.1:PORT/0?family=4&tls=true'])(
    'is encrypted where the URL says so: %s',
    async (url) => {
      expect(await firstByte((port) => url.replace('PORT', String(port)))).toBe(tlsHandshake);
    },
  );

  it('is not encrypted where it does not', async () => {
    expect(await firstByte((port) => `redis://127.0.0.1:${String(port)}`)).toBe('*'.charCodeAt(0));
  });

  it('says at once that a place is none', async () => {
    const connection = new Connection('redis://127.0.0.1?port=70000');
    endings.push(() => connection.close());
    await expect(connection.open()).rejects.toMatchObject({ code: 'bus-unavailable' });
  });
});
