import { spawn, type ChildProcess } from 'node:child_process';

/** How a command ended. `missing`: there is no such program here. */
export interface CommandResult {
  readonly code: number | null;
  readonly missing: boolean;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** The command is killed after so many milliseconds. */
  readonly timeoutMs: number;
  readonly cwd?: string;
  /** Instead of this process's environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly argv0?: string;
}

export type RunCommand = (command: string, args: readonly string[], options: CommandOptions) => Promise<CommandResult>;

const OUTPUT_CHARACTERS_MAX = 65_536;

/** None of them outlives us. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs one short command to its end. Never throws: a command that cannot be run is a result like another. */
export const runCommand: RunCommand = async (command, args, options) =>
  await new Promise((settle) => {
    const output = { stdout: '', stderr: '' };
    let timedOut = false;
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      ...(options.environment === undefined ? {} : { env: options.environment }),
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
    });
    running.add(child);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open for longer than anybody wants to wait.
      child.stdout.destroy();
      child.stderr.destroy();
    }, options.timeoutMs);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] = (output[stream] + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
    const end = (code: number | null, missing: boolean): void => {
      clearTimeout(timer);
      running.delete(child);
      settle({ code, missing, timedOut, ...output });
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      output.stderr += error.message;
      end(null, error.code === 'ENOENT');
    });
    child.on('close', (code) => {
      end(code, false);
    });
  });

/** Whether it ran and said that all went well. */
export function succeeded(result: CommandResult): boolean {
  return result.code === 0 && !result.timedOut;
}

/** The last line that says something, for a message about what went wrong. */
export function lastWords(result: CommandResult): string {
  if (result.timedOut) return 'it did not end in time';
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim() ?? `it ended with ${String(result.code)}`;
}
