import { text as textOf } from 'node:stream/consumers';
import { Command, CommanderError } from 'commander';
import { processEnvironment } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import { addBench } from './commands/bench.js';
import { addCompletion } from './commands/completion.js';
import { addGateway } from './commands/gateway.js';
import { addGet } from './commands/get.js';
import { addHealth } from './commands/health.js';
import { addInit } from './commands/init.js';
import { addKey } from './commands/key.js';
import { addReplica } from './commands/replica.js';
import { addSimulate } from './commands/simulate.js';
import { addStatus } from './commands/status.js';
import { addSubmit } from './commands/submit.js';
import { addUp } from './commands/up.js';
import { addVerify } from './commands/verify.js';
import { addWatch } from './commands/watch.js';
import { CommandFailed, UsageError, type Context } from './context.js';
import { ownPackage } from './package-json.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const HELP_FOOTER = `
Settings come from flags, then from environment variables, then from defaults.
Exit codes: 0 it went well; 1 it failed or was refused; 2 the command or a setting makes no sense.
Results go to standard output; what went wrong to standard error, as "quorate: CODE: text".

Examples:
  $ quorate up                                      a whole cluster on this machine
  $ quorate submit '{"op":"put","key":"a","value":1}'
  $ quorate get a
  $ quorate watch                                   the cluster, live
  $ quorate submit --json '{"op":"get","key":"a"}' > reply.json && quorate verify reply.json`;

/** Runs one command line to its end. @returns the exit code; never throws */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    return explain(error, context);
  }
}

/** What only one command needs is imported by its action: `get` need not wait for all the modules of a gateway. */
function createProgram(context: Context): Command {
  const program = new Command('quorate')
    .description('A Byzantine-fault-tolerant replicated service on Redis')
    .version(ownPackage().version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: (text, write) => {
        write(usageLine(text.replace(/^error: /, '').trimEnd()));
      },
    })
    .showHelpAfterError('(add --help for what there is)')
    .addHelpText('after', HELP_FOOTER);
  const adders = [
    addInit,
    addUp,
    addReplica,
    addGateway,
    addSubmit,
    addGet,
    addStatus,
    addWatch,
    addVerify,
    addKey,
    addHealth,
    addSimulate,
    addBench,
    addCompletion,
  ];
  for (const add of adders) add(program, context);
  return program;
}

function usageLine(what: string): string {
  return `quorate: invalid-usage: ${what}\n`;
}

function explain(error: unknown, context: Context): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : EXIT_USAGE; // commander has said what is wrong
  }
  if (error instanceof UsageError) {
    context.stderr.write(usageLine(error.message));
    return EXIT_USAGE;
  }
  if (error instanceof CommandFailed) {
    context.stderr.write(`quorate: ${error.code}: ${error.message}\n`);
    return EXIT_FAILED;
  }
  if (error instanceof QuorateError) {
    context.stderr.write(`quorate: ${error.code}: ${error.message}\n`);
    return error.code === 'invalid-setting' ? EXIT_USAGE : EXIT_FAILED;
  }
  context.stderr.write(
    `quorate: internal: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT_FAILED;
}

/** The process's own command line; what bin/quorate.mjs calls. */
export async function main(args: readonly string[] = process.argv.slice(2)): Promise<never> {
  // Whoever reads our output may leave early (`quorate status | head -1`), and a terminal may be closed.
  const unread = new AbortController();
  process.stdout.on('error', () => {
    unread.abort();
  });
  process.stderr.on('error', () => undefined);
  const context: Context = {
    environment: processEnvironment(),
    stdout: process.stdout,
    stderr: process.stderr,
    hasColors: process.stdout.isTTY && process.stdout.hasColors(),
    terminals: { stdout: process.stdout.isTTY, stderr: process.stderr.isTTY },
    unread: unread.signal,
    interrupted,
    readStdin: async () => await textOf(process.stdin),
    exitCode: 0,
  };
  const code = await runCli(args, context);
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(code);
}

function interrupted(): AbortSignal {
  const abort = new AbortController();
  // It stays: npm sends each signal twice, and the second must not cut the ending short.
  process.on('SIGINT', () => {
    abort.abort();
  });
  return abort.signal;
}

/** `process.exit` would cut off what a pipe has not taken yet. */
async function drained(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0 || stream.destroyed) return;
  await new Promise<void>((settle) => {
    stream.once('error', () => {
      settle();
    });
    stream.write('', () => {
      settle();
    });
  });
}
