// What the examples that run to their end share: a cluster for as long as they take, with a state machine of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export interface Plan {
  /** The replicas. */
  readonly names: readonly string[];
  /** The module whose default export is the state machine. */
  readonly machine: string;
  /** Where keys, log and membership are kept; `--data-dir` says otherwise. */
  readonly folder: string;
}

interface Answer {
  readonly status: number;
  /** Word for word: it is what a receipt is about. */
  readonly text: string;
  readonly body: unknown;
}

export interface RunningCluster {
  readonly folder: string;
  /** The command line's file, for `node`. */
  readonly program: string;
  /** Posts a body, or gets without one. Throws when the gateway does not answer in time. */
  readonly ask: (path: string, body?: object) => Promise<Answer>;
  readonly stop: () => Promise<void>;
}

/** Starts `quorate up`, does the work when the cluster is ready, and ends all of it, however the work ended. */
export async function runWithCluster(plan: Plan, work: (cluster: RunningCluster) => Promise<void>): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      'gateway-port': { type: 'string', default: '3000' },
      'data-dir': { type: 'string', default: plan.folder },
    },
  });
  const program = fileURLToPath(new URL('../../../bin/quorate.mjs', import.meta.url));
  const { 'gateway-port': port, 'data-dir': folder } = flags;
  const names = ['--names', plan.names.join(',')];
  const up = [program, 'up', ...names, '--state-machine', plan.machine, '--port', port, '--data-dir', folder];
  const child = spawn(process.execPath, up, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  const ask = async (path: string, body?: object): Promise<Answer> => {
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const init = { signal: AbortSignal.timeout(15_000), ...(body === undefined ? {} : post) };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) as unknown };
  };
  try {
    let said = '';
    const ready = new Promise<void>((settle) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('Ctrl-C stops everything.')) settle();
      });
    });
    const first = await Promise.race([ready, ended]);
    if (first !== undefined) throw new Error(`the cluster did not start:\n${said}`);
    await work({ folder: resolve(folder), program, ask, stop });
  } finally {
    await stop();
  }
}
