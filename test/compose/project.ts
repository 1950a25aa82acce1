import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import type { Reply } from '../../src/crypto/receipt.js';
import type { Json } from '../../src/wire/json.js';

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const COMMAND_DEADLINE_MS = 60_000;
const HTTP_DEADLINE_MS = 10_000;
const NO_QUORUM = 504;

export interface Output {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `docker`; what it answers with an exit code is an answer, not an error. */
function docker(args: readonly string[], environment: NodeJS.ProcessEnv, deadlineMs = COMMAND_DEADLINE_MS) {
  return new Promise<Output>((resolve, reject) => {
    const options = { env: { ...process.env, ...environment }, timeout: deadlineMs, maxBuffer: OUTPUT_BYTES_MAX };
    execFile('docker', args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else reject(new Error(`docker ${args.join(' ')} did not end by itself within ${deadlineMs} ms\n${stderr}`));
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The cluster of docker-compose.yml under a project name and a port of its own, so that it disturbs no other. */
export class Project {
  private readonly environment: NodeJS.ProcessEnv;

  private constructor(
    /** Also that of the image that it builds. */
    readonly name: string,
    private readonly port: number,
    replicas: number,
  ) {
    this.environment = { PORT: String(port), REPLICAS: String(replicas), LOG_LEVEL: 'info', QUORATE_IMAGE: name };
  }

  static async withReplicas(replicas: number): Promise<Project> {
    return new Project(`quorate-test-${randomBytes(4).toString('hex')}`, await freePort(), replicas);
  }

  /** @throws {Error} with what Compose said when it fails */
  async compose(args: readonly string[], deadlineMs?: number): Promise<string> {
    const { exitCode, stdout, stderr } = await docker(
      ['compose', '--project-name', this.name, '--ansi', 'never', ...args],
      this.environment,
      deadlineMs,
    );
    if (exitCode !== 0) throw new Error(`docker compose ${args.join(' ')}: exit ${exitCode}\n${stdout}${stderr}`);
    return stdout;
  }

  async containers(service: string): Promise<string[]> {
    return (await this.compose(['ps', '--all', '--quiet', service])).split('\n').filter((id) => id !== '');
  }

  async engine(args: readonly string[]): Promise<Output> {
    return await docker(args, this.environment);
  }

  async logs(): Promise<string> {
    return await this.compose(['logs', '--no-color', '--tail', '100']);
  }

  /** @throws {Error} unless the gateway answers 200 */
  async get<T>(path: string): Promise<T> {
    return (await this.fetch(path, [200])).body as T;
  }

  /**
   * Submits under an Idempotency-Key, so that sending it again is no second operation.
   * @returns the reply; `undefined` when there was no quorum within the gateway's deadline
   */
  async submit(operation: Json, idempotencyKey: string): Promise<Reply | undefined> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
    const options = { method: 'POST', headers, body: JSON.stringify({ operation }) };
    const { status, body } = await this.fetch('/v1/requests', [200, NO_QUORUM], options);
    return status === NO_QUORUM ? undefined : (body as Reply);
  }

  private async fetch(path: string, expected: readonly number[], options: RequestInit = {}) {
    const url = `http://127.0.0.1:${this.port}${path}`;
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(HTTP_DEADLINE_MS) });
    const text = await response.text();
    if (!expected.includes(response.status)) throw new Error(`${path}: ${response.status} ${text}`);
    return { status: response.status, body: JSON.parse(text) as unknown };
  }
}
