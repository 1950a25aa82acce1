import { spawn } from 'node:child_process';

/** A signal came: there is nothing more to say. */
export class Interrupted extends Error {
  constructor(signal) {
    super(signal);
    this.exitCode = 128 + (signal === 'SIGTERM' ? 15 : signal === 'SIGHUP' ? 1 : 2);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** npm, told to end, would first finish what it is unpacking; what is half done is done anew the next time. */
const KILL_AFTER_MS = 2_000;
const OUTPUT_CHARACTERS_MAX = 200_000;

const running = new Set();
let interruption;

/** Ends whatever `run` has started when a signal comes. @returns a function that hands the signals to somebody else */
export function stopOnSignals() {
  const onSignal = (signal) => {
    if (interruption !== undefined) return; // npm sends on what the terminal has sent already
    interruption = new Interrupted(signal);
    for (const child of running) signalGroup(child, 'SIGTERM');
    setTimeout(() => {
      for (const child of running) signalGroup(child, 'SIGKILL');
      process.exit(interruption.exitCode);
    }, KILL_AFTER_MS).unref();
    if (running.size === 0) process.exit(interruption.exitCode);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/** A child has a group of its own, so that whatever it starts itself ends with it. */
function signalGroup(child, signal) {
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

/**
 * Runs a command to its end.
 *
 * @param options.quiet collect its output instead of showing it
 * @param options.env added to this process's environment
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function run(command, args, { quiet = false, env = {} } = {}) {
  if (interruption !== undefined) throw interruption;
  const child = spawn(command, args, {
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    detached: process.platform !== 'win32',
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-OUTPUT_CHARACTERS_MAX)));
  }
  const code = await new Promise((settle) => {
    child.on('error', (error) => {
      output += error.message;
      settle(127);
    });
    child.on('close', (status) => settle(status ?? 1));
  });
  running.delete(child);
  if (interruption !== undefined) throw interruption;
  return { code, output };
}

const ORPHAN_POLL_MS = 500;

/**
 * npm passes SIGINT and SIGTERM on, but cannot pass on a SIGKILL of its own, and a shell between npm and us passes on nothing:
 * when our parent is gone, we end as if we had been told to.
 */
export function exitWhenOrphaned() {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, ORPHAN_POLL_MS).unref();
}
