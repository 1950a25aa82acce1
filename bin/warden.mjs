// node bin/warden.mjs ARGV0 COMMAND ARGUMENTS…
//
// Runs a program that knows nothing of us (Redis) and ends it when our parent is gone: the parent holds the other end of
// our standard input, and the system closes that however the parent ended, SIGKILL included.
import { spawn } from 'node:child_process';

const KILL_AFTER_MS = 8_000;
const [argv0, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { argv0, stdio: ['ignore', 'inherit', 'inherit'] });

child.on('error', (error) => {
  process.stderr.write(`${command}: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code) => process.exit(code ?? 1));

let isEnding = false;
function end() {
  if (isEnding) return; // a second SIGTERM would cut Redis's shutdown short
  isEnding = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
}

process.stdin.on('close', end).on('error', end).resume();
process.on('SIGTERM', end);
process.on('SIGINT', end);
