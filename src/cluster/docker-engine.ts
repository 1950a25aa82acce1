import { runCommand, succeeded, type RunCommand } from './run-command.js';

const ANSWER_TIMEOUT_MS = 5_000;
const PULL_TIMEOUT_MS = 180_000;

/** The image that stands for Redis wherever a container does: here, in tests and in the compose file. */
export const REDIS_IMAGE = 'redis:8';

/** @returns the version of the Docker engine that answers here within five seconds, if one does. */
export async function dockerEngineVersion(run: RunCommand = runCommand): Promise<string | undefined> {
  const args = ['version', '--format', '{{.Server.Version}}'];
  const result = await run('docker', args, { timeoutMs: ANSWER_TIMEOUT_MS });
  const version = result.stdout.trim();
  return succeeded(result) && version !== '' ? version : undefined;
}

/** @returns whether the image is there, after pulling it if need be. */
export async function ensureImage(
  image: string,
  report: (line: string) => void,
  run: RunCommand = runCommand,
): Promise<boolean> {
  const inspected = await run('docker', ['image', 'inspect', image], { timeoutMs: ANSWER_TIMEOUT_MS });
  if (succeeded(inspected)) return true;
  report(`Docker pulls ${image} …`);
  return succeeded(await run('docker', ['pull', '--quiet', image], { timeoutMs: PULL_TIMEOUT_MS }));
}
