import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import type { Ending } from '../../src/cluster/child.js';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { poll } from '../../src/cluster/poll.js';
import { runCommand, type CommandResult } from '../../src/cluster/run-command.js';
import { DEFINITIONS } from '../../src/config/setting-definitions.js';
import { processEnvironment } from '../../src/config/settings.js';

/** More than any step takes that a test waits for, on a machine that is busy with other things. */
export const patienceMs = 60_000;

type Environment = Readonly<Record<string, string>>;

/** This process's environment without any setting of Quorate's: what a test says holds, wherever it runs. */
export function plainEnvironment(more: Environment = {}): Environment {
  const inherited = Object.entries(processEnvironment()).flatMap(([name, value]) =>
    value === undefined || name in DEFINITIONS ? [] : [[name, value] as const],
  );
  return { ...Object.fromEntries(inherited), ...more };
}

/** Runs one of Quorate's commands to its end, as a user would, and hands out what it said. */
export async function quorate(args: readonly string[], settings: Environment = {}): Promise<CommandResult> {
  return await runCommand(process.execPath, [PROGRAM, ...args], {
    timeoutMs: patienceMs,
    environment: plainEnvironment(settings),
  });
}

/** A program that runs on, in a process group of its own, as a shell would start it. */
export class Program {
  /** Everything that it has said so far, on both of its outputs. */
  output = '';
  readonly ended: Promise<Ending>;
  private readonly process: ChildProcess;
  private hasEnded = false;

  constructor(command: string, args: readonly string[], environment: Environment) {
    this.process = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.ended = new Promise((settle, fail) => {
      this.process.once('error', fail).once('exit', (code, signal) => {
        this.hasEnded = true;
        settle({ code, signal });
      });
    });
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error('it could not be started');
    return pid;
  }

  get isRunning(): boolean {
    return !this.hasEnded;
  }

  /**
   * Waits for words of its output.
   * @throws {Error} with all that it said when it has ended, or the deadline has passed, without them
   */
  async says(words: RegExp, deadlineMs = patienceMs): Promise<RegExpExecArray> {
    const found = await poll(deadlineMs, () => words.exec(this.output) ?? (this.hasEnded ? false : undefined));
    if (found !== undefined && found !== false) return found;
    throw new Error(`it does not say ${String(words)} but\n${this.output}`);
  }

  /** As a terminal's Ctrl-C does it: to every process of the group. */
  signalGroup(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(-this.pid, signal);
  }

  /** For the end of a test: whatever is left of it goes. */
  async end(): Promise<void> {
    this.signalGroup('SIGKILL');
    await this.ended;
  }
}

/** Every process that `pid` has started, and those that they have, as the system knows them now. */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  const parents = await livingProcesses();
  const found: number[] = [];
  for (let generation = [pid]; generation.length > 0;) {
    generation = [...parents].flatMap(([child, parent]) => (generation.includes(parent) ? [child] : []));
    found.push(...generation);
  }
  return found;
}

/** Those of the processes that still live. One that has ended and is not waited for yet counts as dead. */
export async function livingAmong(pids: readonly number[]): Promise<readonly number[]> {
  const living = await livingProcesses();
  return pids.filter((pid) => living.has(pid));
}

/** The living processes of this machine, each with the one that started it. */
async function livingProcesses(): Promise<ReadonlyMap<number, number>> {
  const lines = process.platform === 'linux' ? await linesOfProc() : await linesOfPs();
  const all = lines.flatMap((line) => {
    const [pid = '', state = '', parent = ''] = line.trim().split(/\s+/);
    return pid === '' || /^[ZX]/.test(state) ? [] : [[Number(pid), Number(parent)] as const];
  });
  return new Map(all);
}

async function linesOfPs(): Promise<readonly string[]> {
  const { stdout } = await runCommand('ps', ['-A', '-o', 'pid=,state=,ppid='], { timeoutMs: patienceMs });
  return stdout.split('\n');
}

/** A small Linux has no `ps`. */
async function linesOfProc(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = pids.map(async (pid) => await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
  // The name of the program stands in parentheses and may hold any character: `4711 (a b) S 1 …`.
  return (await Promise.all(stats)).map((stat) => stat.replace(/\(.*\)/s, ''));
}
