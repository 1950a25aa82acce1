import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  addSettingFlags,
  paint,
  print,
  settingsFrom,
  UsageError,
  type Context,
  type SettingOptions,
} from '../context.js';

interface Options extends SettingOptions {
  readonly membership?: string;
  readonly json?: true;
}

/** More than any reply has. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

export function addVerify(program: Command, context: Context): void {
  const command = program
    .command('verify')
    .argument(
      '<receipt>',
      'file with a receipt, the whole reply that it came in, or a proof of state; - reads standard input',
    )
    .description(
      'is this receipt, or this proof, genuine? Asks nobody: a membership is all that it takes. Exit 0 or 1, and why',
    )
    .option('--membership <file>', 'the membership to check against; else membership.json in the data folder')
    .option('--json', 'print the finding as JSON');
  addSettingFlags(command, 'dataDir')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate verify reply.json
  $ curl -s https://quorate.example/v1/membership > membership.json   # once, from a source that you trust
  $ quorate verify reply.json --membership membership.json`,
    )
    .action(async (receipt: string, options: Options) => {
      const settings = settingsFrom(context, options);
      const membership = options.membership ?? join(settings.dataDir, 'membership.json');
      const receiptText = receipt === '-' ? await context.readStdin() : await readText(receipt, 'receipt');
      const { verifyText } = await import('../../crypto/verify-text.js');
      const finding = verifyText(receiptText, await readText(membership, 'membership'));
      context.exitCode = finding.valid ? 0 : 1;
      if (options.json === true) print(context, JSON.stringify(finding));
      else if (finding.valid)
        print(context, [paint(context, 'green', 'genuine'), ...lines(finding.summary)].join('\n'));
      else print(context, `${paint(context, 'red', 'refused')}: ${finding.reason}`);
    });
}

async function readText(file: string, what: string): Promise<string> {
  try {
    if ((await stat(file)).size > FILE_BYTES_MAX) throw new Error('it is larger than 16 MB');
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the ${what} ${file} cannot be read: ${(error as Error).message}`);
  }
}

/** One line for each fact. */
function lines(summary: object | string): readonly string[] {
  if (typeof summary === 'string') return [`  ${summary}`];
  return Object.entries(summary).map(
    ([name, value]) => `  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
}
