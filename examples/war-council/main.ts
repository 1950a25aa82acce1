// The picture it started from: four countries, each with its HTTP port, agree on a war time; one of them may be down.
//
//   npm run war-council
//   curl 'http://127.0.0.1:1111/req?warTime=8888'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const countries = ['Apple', 'MS', 'Google', 'IBM'];
const { values: flags } = parseArgs({
  options: {
    'first-port': { type: 'string', default: '1111' },
    'gateway-port': { type: 'string', default: '3000' },
    'data-dir': { type: 'string', default: '.quorate/war-council' },
  },
});
const gateway = `http://127.0.0.1:${flags['gateway-port']}`;

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** Has the countries agree on a war time. The receipt in the answer is signed by at least two of them. */
async function agree(country: string, warTime: string | null): Promise<Answer> {
  if (warTime === null || !/^\d{1,4}$/.test(warTime)) {
    return { status: 400, body: { country, error: 'warTime is to be a number of up to four digits, such as 8888' } };
  }
  try {
    const response = await fetch(`${gateway}/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operation: { op: 'agree', warTime: Number(warTime) } }),
      signal: AbortSignal.timeout(15_000),
    });
    return { status: response.status, body: { country, ...((await response.json()) as object) } };
  } catch {
    return { status: 503, body: { country, error: 'the gateway does not answer; is the cluster ready?' } };
  }
}

async function answer(country: string, url: URL): Promise<Answer> {
  if (url.pathname === '/req') return await agree(country, url.searchParams.get('warTime'));
  return { status: 404, body: { country, error: 'ask for /req?warTime=8888' } };
}

/** Opens a country's port. Throws when that is taken. */
async function open(country: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(country, new URL(request.url ?? '/', 'http://localhost')).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    });
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  console.log(`${country.padEnd(7)} curl 'http://127.0.0.1:${String(port)}/req?warTime=8888'`);
  return server;
}

const servers = await Promise.all(
  countries.map((country, index) => open(country, Number(flags['first-port']) + index)),
);

// A replica for each country, each a process with a key of its own, and a gateway: all of it is `quorate up`.
const quorate = fileURLToPath(new URL('../../../bin/quorate.mjs', import.meta.url));
const machine = fileURLToPath(new URL('war-council.js', import.meta.url));
const up = ['up', '--names', countries.join(','), '--state-machine', machine, '--port', flags['gateway-port']];
const cluster = spawn(process.execPath, [quorate, ...up, '--data-dir', flags['data-dir']], { stdio: 'inherit' });

// Ctrl-C reaches the cluster, too; when it has ended, so do we.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => cluster.kill(signal));
cluster.on('exit', (code) => {
  for (const server of servers) server.close().closeAllConnections();
  process.exitCode = code ?? 1;
});
