import type { Command } from 'commander';
import { addSettingFlags, settingsFrom, type Context, type SettingOptions } from '../context.js';
import { askAndPrint, understood, type AnswerOptions } from '../gateway-client.js';
import { describeStatus, statusSchema } from '../status-view.js';

export function addStatus(program: Command, context: Context): void {
  const command = program
    .command('status')
    .description('who is primary, and how far each replica is')
    .option('--json', 'print the answer as the gateway sent it');
  addSettingFlags(command, 'url')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate status
  $ quorate status --json --url http://127.0.0.1:8080`,
    )
    .action(async (options: SettingOptions & AnswerOptions) => {
      const settings = settingsFrom(context, options);
      await askAndPrint(context, settings, { path: '/v1/status' }, options, (body) =>
        describeStatus(context, understood(statusSchema, body)),
      );
    });
}
