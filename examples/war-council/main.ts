// The picture it started from: four countries, each with its HTTP port, agree on a war time; one of them may be down.
//
//   npm run war-council
//   curl 'http://127.0.0.1:1111/req?warTime=8888'
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const countries = ['Apple', 'MS', 'Google', 'IBM'];
const flag = (name: string, byDefault: string): string => {
  const place = process.argv.indexOf(`--${name}`);
  return (place < 0 ? undefined : process.argv[place + 1]) ?? byDefault;
};
const firstPort = Number(flag('first-port', '1111'));
const gatewayPort = flag('gateway-port', '3000');
const gateway = `http://127.0.0.1:${gatewayPort}`;

/** Has the countries agree on a war time. The receipt in the answer is signed by at least two of them. */
async function agree(country: string, warTime: string | null): Promise<{ status: number; body: unknown }> {
  if (warTime === null || !/^\d{1,4}$/.test(warTime)) {
    return { status: 400, body: { country, error: 'warTime is to be a number of up to four digits, such as 8888' } };
  }
  const response = await fetch(`${gateway}/v1/requests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ operation: { op: 'agree', warTime: Number(warTime) } }),
    signal: AbortSignal.timeout(15_000),
  });
  return { status: response.status, body: { country, ...((await response.json()) as object) } };
}

// A replica for each country, each a process with a key of its own, and a gateway: all of it is `quorate up`.
const repository = new URL('../../../', import.meta.url);
const machine = fileURLToPath(new URL('war-council.js', import.meta.url));
const up = ['up', '--names', countries.join(','), '--state-machine', machine, '--port', gatewayPort];
const quorate = fileURLToPath(new URL('bin/quorate.mjs', repository));
const cluster = spawn(process.execPath, [quorate, ...up, '--data-dir', flag('data-dir', '.quorate/war-council')], {
  stdio: 'inherit',
});

const servers = countries.map((country, index) => {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const answer =
      url.pathname === '/req'
        ? agree(country, url.searchParams.get('warTime'))
        : Promise.resolve({ status: 404, body: { country, error: 'ask for /req?warTime=8888' } });
    answer
      .catch(() => ({ status: 503, body: { country, error: 'the cluster does not answer yet' } }))
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
      })
      .catch(() => undefined);
  });
  return server.listen(firstPort + index, '127.0.0.1');
});

// Ctrl-C reaches the cluster, too; when it has ended, so do we.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => cluster.kill(signal));
cluster.on('exit', (code) => {
  for (const server of servers) server.close().closeAllConnections();
  process.exitCode = code ?? 1;
});
