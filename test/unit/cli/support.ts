import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from '../../../src/cli/context.js';
import { runCli } from '../../../src/cli/main.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line as a process would, but for the process. */
export async function cli(args: readonly string[], more: Partial<Context> = {}): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    environment: {},
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    hasColors: false,
    terminals: { stdout: false, stderr: false },
    unread: new AbortController().signal,
    interrupted: () => new AbortController().signal,
    readStdin: async () => '',
    exitCode: 0,
    ...more,
  });
  return { code, out, err };
}

/** A gateway that gives these answers in turn, the last one for ever; `undefined` cuts the connection. */
export async function answering(
  ...answers: readonly unknown[]
): Promise<{ readonly url: string; readonly close: () => Promise<unknown> }> {
  let asked = 0;
  const server: Server = createServer((_request, response) => {
    const answer = answers[Math.min(asked++, answers.length - 1)];
    if (answer === undefined) response.destroy();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
    },
  };
}
