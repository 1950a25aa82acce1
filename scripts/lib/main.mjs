import { build } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { exitWhenOrphaned, Interrupted, stopOnSignals } from './processes.mjs';
import { ROOT } from './root.mjs';
import { withSetupLock } from './setup-lock.mjs';
import { runStages, stagesNamed, StageFailed } from './stages.mjs';

/** Runs `start`, `test`, `example NAME` or `bench NAME`, with everything that is missing first. Sets the process's exit code. */
export async function main([command, ...args]) {
  process.chdir(ROOT);
  try {
    if (command === 'start') await start(args);
    else if (command === 'test') await test(args);
    else if (command === 'example') await runFile(args, (name) => `dist/examples/${name}/main.js`);
    else if (command === 'bench') await runFile(args, (name) => `bench/${name}.mjs`);
    else throw new Error(`there is no ${command ?? 'command'}: say start, test, example or bench`);
  } catch (error) {
    if (error instanceof Interrupted) process.exit(error.exitCode);
    process.stderr.write(error instanceof StageFailed ? `\n${error.message}\n` : `\nquorate: ${error.message}\n`);
    process.exit(1);
  }
}

async function setUp() {
  const release = stopOnSignals();
  await withSetupLock(async () => {
    await installDependencies();
    await build();
  });
  release();
}

/** Runs a file of this repository, as if it were the program. */
async function runFile([name, ...args], fileOf) {
  await setUp();
  const file = new URL(`../../${fileOf(name)}`, import.meta.url);
  process.argv.splice(1, Infinity, name, ...args);
  await import(file.href);
}

async function start(args) {
  await setUp();
  // From here on this very process is `quorate up`, which knows how to end what it starts.
  exitWhenOrphaned();
  process.argv.splice(1, Infinity, 'quorate', 'up', ...args);
  await import('../../bin/quorate.mjs');
}

async function test(names) {
  const stages = stagesNamed(names);
  stopOnSignals();
  await withSetupLock(async () => {
    await installDependencies();
    if (stages.some(({ needsBuild }) => needsBuild === true)) await build();
  });
  await runStages(stages);
  process.exit(0);
}
