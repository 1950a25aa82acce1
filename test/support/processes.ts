import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalCluster } from '../../src/cluster/local-cluster.js';
import { processEnvironment, readSettings } from '../../src/config/settings.js';

const pollMs = 50;
const program = new URL('../../bin/quorate.mjs', import.meta.url).pathname;

/** A cluster of processes in a folder of its own, and what a test asks of it over HTTP. */
export class TestCluster {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'quorate-e2e-'));
  readonly names: readonly string[];
  /** The highest sequence number that was acknowledged: statuses from before it are old news. */
  private acknowledged = 0;
  private readonly cluster: LocalCluster;

  constructor(n: number, flags: Readonly<Record<string, string>> = {}) {
    this.names = Array.from({ length: n }, (_, index) => `replica-${index + 1}`);
    const settings = readSettings({ DATA_DIR: this.dataDir, PORT: '0', ...flags }, withoutSettings());
    this.cluster = new LocalCluster({ settings, names: this.names });
  }

  get url(): string {
    return this.cluster.gatewayUrl();
  }

  get redisUrl(): string {
    return this.cluster.redis?.url ?? '';
  }

  start(): Promise<void> {
    return this.cluster.start();
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.cluster.kill(name, signal);
  }

  restart(name: string): void {
    this.cluster.startMember(name);
  }

  /** Stops the embedded Redis, and starts it again with its data. */
  async restartRedis(): Promise<void> {
    await this.cluster.restartRedis();
  }

  async killRedis(): Promise<void> {
    await this.cluster.redis?.stop();
  }

  async submit(operation: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const answer = await this.request('/v1/requests', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ operation }),
    });
    if (answer.status === 200) this.acknowledged = Math.max(this.acknowledged, Number(answer.body.sequence));
    return answer;
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url + path, { ...init, signal: AbortSignal.timeout(30_000) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  }

  async status(): Promise<Status> {
    const { body } = await this.request('/v1/status');
    return body as Status;
  }

  /** Waits until all replicas are connected, have executed as much, and have one state digest. */
  async untilAllAgree(): Promise<Status> {
    return until('all replicas have one state', async () => {
      const status = await this.status();
      const states = new Set(status.replicas.map(({ stateDigest, lastExecuted }) => `${stateDigest} ${lastExecuted}`));
      const isCurrent = status.replicas.every(
        (replica) => replica.connected && replica.lastExecuted >= this.acknowledged,
      );
      return isCurrent && states.size === 1 ? status : undefined;
    });
  }

  /** Runs a command of the CLI against this cluster. */
  cli(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return runCli(args, { QUORATE_URL: this.url, DATA_DIR: this.dataDir });
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into answers of many forms
  readonly body: any;
}

export interface Status {
  readonly view: number;
  readonly primary: string;
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  readonly replicas: readonly {
    readonly replica: string;
    readonly connected: boolean;
    readonly lastExecuted: number;
    readonly stateDigest: string;
    readonly refused: Readonly<Record<string, number>>;
  }[];
}

/** Asks again and again until there is an answer; a deadline ends it. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, deadlineMs = 40_000): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(pollMs);
  }
}

export function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...withoutSettings(), ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr });
    });
  });
}

/** A long-running program in a process group of its own, so that a test can end all of it as Ctrl-C does. */
export function runGroup(args: readonly string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, args, {
    env: withoutSettings(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The environment without what would change a cluster's settings. */
function withoutSettings(): NodeJS.ProcessEnv {
  const settings = new Set([
    'REDIS_URL',
    'LOG_REDIS_URL',
    'CLUSTER',
    'REPLICAS',
    'REPLICA_ID',
    'DATA_DIR',
    'PORT',
    'HOST',
  ]);
  return Object.fromEntries(Object.entries(processEnvironment()).filter(([name]) => !settings.has(name)));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
