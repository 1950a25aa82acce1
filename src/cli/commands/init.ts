import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { QuorateError } from '../../errors.js';
import { paint, print, UsageError, type Context } from '../context.js';
import { ownPackage } from '../package-json.js';
import { projectFiles } from '../project-files.js';

interface Options {
  readonly name?: string;
  readonly json?: true;
}

/** It names a package, a cluster and a state machine at once; each has a form of its own, and this fits all. */
const NAME = /^[a-z][a-z0-9-]{0,29}$/;

export function addInit(program: Command, context: Context): void {
  program
    .command('init')
    .argument('<folder>', 'where to; made when it is not there, and empty when it is')
    .description('write a new project: a state machine of your own, its test, and all that runs it')
    .option('--name <name>', 'of package and cluster: lower-case letters, digits and hyphens; else that of the folder')
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate init warehouse
  $ quorate init . --name warehouse
  $ cd warehouse && npm install && npm test && npm start`,
    )
    .action(async (folder: string, options: Options) => {
      await init(context, folder, options);
    });
}

/**
 * @throws {UsageError} when there is no name that fits
 * @throws {QuorateError} `folder-not-empty`
 */
async function init(context: Context, argument: string, options: Options): Promise<void> {
  const folder = resolve(argument);
  const name = options.name ?? basename(folder).toLowerCase();
  if (!NAME.test(name)) {
    throw new UsageError(
      `${JSON.stringify(name)} cannot name a project: 1 to 30 lower-case letters, digits and hyphens, beginning with a letter; say --name`,
    );
  }
  await assertEmpty(folder);
  const files = projectFiles(name, ownPackage());
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    // Never over a file that came there meanwhile.
    await writeFile(join(folder, file), text, { flag: 'wx' });
  }
  if (options.json === true) {
    print(context, JSON.stringify({ name, folder, files: Object.keys(files) }));
    return;
  }
  print(context, `${paint(context, 'green', 'Written')}: ${name}, in ${folder}`);
  for (const file of Object.keys(files)) print(context, `  ${file}`);
  print(context, `\nNext:\n  cd ${argument}\n  npm install\n  npm test\n  npm start`);
}

async function assertEmpty(folder: string): Promise<void> {
  let entries: readonly string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw code === 'ENOTDIR' ? new UsageError(`${folder} is a file`) : error;
  }
  if (entries.length === 0) return;
  throw new QuorateError('folder-not-empty', `${folder} holds ${entries[0] ?? ''}; nothing was written`, { folder });
}
