import { createServer, type AddressInfo } from 'node:net';
import { invalidSetting } from '../config/settings.js';

/**
 * @returns a loopback port that is free now
 * @throws the system's error when it has to be `wanted` and that is not free
 */
export async function freePort(wanted = 0): Promise<number> {
  return await portBound('127.0.0.1', wanted);
}

/**
 * Finds out before anything is started, not from a process that fails later.
 * @throws {QuorateError} `invalid-setting` naming PORT or HOST
 */
export async function assertPortFree(host: string, port: number): Promise<void> {
  try {
    await portBound(host, port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw invalidSetting('PORT', String(port), `a port that is free: another program listens on it on ${host}`);
    }
    if (code === 'EACCES') throw invalidSetting('PORT', String(port), 'a port that you may listen on: 1024 or higher');
    throw invalidSetting('HOST', host, `an address of this machine (${message})`);
  }
}

/** Listens for a moment. */
async function portBound(host: string, port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((settle, fail) => {
    server.once('error', fail).listen(port, host, settle);
  });
  const address = server.address() as AddressInfo;
  await new Promise((settle) => server.close(settle));
  return address.port;
}
