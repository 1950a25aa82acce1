import { spawn, type ChildProcess } from 'node:child_process';
import { openLog } from './log-file.js';
import { settlesWithin } from './poll.js';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Both of its outputs are appended here. */
  readonly logFile: string;
  /** Hears what the process has told by `tellParent`. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** How a process ended: its exit code, or the signal that ended it. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A process that belongs to this one. It has a process group of its own, so that a Ctrl-C reaches it through us alone and
 * in our order. We hold the other end of its standard input: once that closes, it knows that we are gone and ends, too.
 */
export class Child {
  readonly name: string;
  readonly logFile: string;
  readonly startedAt = performance.now();
  readonly ended: Promise<Ending>;
  private readonly process: ChildProcess;
  private hasEnded = false;
  private isAskedToEnd = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.logFile = options.logFile;
    const log = openLog(options.logFile);
    this.process = spawn(options.command, options.args, {
      detached: true,
      stdio: ['pipe', log.descriptor, log.descriptor, ...(options.onNotice === undefined ? [] : ['ipc' as const])],
      env: { ...options.environment },
    });
    log.release();
    // Its end of the pipe may be gone before ours: an EPIPE then tells nothing that `ended` does not.
    this.process.stdin?.on('error', () => undefined);
    this.process.on('message', (message) => {
      const { notice } = Object(message) as { readonly notice?: unknown };
      if (typeof notice === 'string') options.onNotice?.(notice);
    });
    this.ended = new Promise((settle) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.hasEnded = true;
        settle({ code, signal });
      };
      this.process.once('exit', end).once('error', () => {
        end(null, null);
      });
    });
  }

  get isRunning(): boolean {
    return !this.hasEnded;
  }

  /** Whether somebody here wanted it to end. */
  get isToEnd(): boolean {
    return this.isAskedToEnd;
  }

  /** `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Sends a signal to this process alone. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.process.kill(signal);
  }

  /** Sends SIGTERM; SIGKILL to its whole group when it has not ended after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    await this.end('SIGTERM', deadlineMs);
  }

  /** As `stop`, with another signal. */
  async end(signal: NodeJS.Signals, deadlineMs: number): Promise<void> {
    this.isAskedToEnd = true;
    if (this.isRunning) {
      this.signal(signal);
      if (!(await settlesWithin(this.ended, deadlineMs))) this.killGroup();
    }
    await this.ended;
  }

  /** At once, and whatever it started itself as well. */
  killGroup(): void {
    this.isAskedToEnd = true;
    const { pid } = this.process;
    if (!this.isRunning || pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.process.kill('SIGKILL');
    }
  }
}

/** For people: `exit code 1` or `SIGKILL`. */
export function describeEnding({ code, signal }: Ending): string {
  if (signal !== null) return signal;
  return code === null ? 'it could not be started' : `exit code ${String(code)}`;
}
