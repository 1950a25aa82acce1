import type { Command } from 'commander';
import { z } from 'zod';
import { keyInPath } from '../../sdk/calls.js';
import { addSettingFlags, paint, settingsFrom, UsageError, type Context, type SettingOptions } from '../context.js';
import { askAndPrint, understood, type AnswerOptions } from '../gateway-client.js';

interface Options extends SettingOptions, AnswerOptions {
  readonly local?: true;
  readonly proof?: true;
}

const valueSchema = z.object({
  value: z.unknown(),
  sequence: z.number(),
  consistency: z.string(),
  replicas: z.array(z.string()),
});

export function addGet(program: Command, context: Context): void {
  const command = program
    .command('get')
    .argument('<key>', 'the key')
    .description('read a value of the key-value service; exit 1 when there is none')
    .option('--local', "take one replica's word for it: faster, may be stale or wrong")
    .option(
      '--proof',
      'print a proof against the last checkpoint instead, for `quorate verify`: whatever the state machine',
    )
    .option('--json', 'print the whole answer as the gateway sent it');
  addSettingFlags(command, 'url')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate get visits
  $ quorate get visits --local
  $ quorate get visits --proof > proof.json && quorate verify proof.json
  $ quorate get visits --json --url http://127.0.0.1:8080`,
    )
    .action(async (key: string, options: Options) => {
      if (options.proof === true) {
        if (options.local === true) throw new UsageError('--proof and --local exclude each other');
        const path = `/v1/state/${keyInPath(key)}`;
        const asText = (body: unknown): string => JSON.stringify(body, null, 2);
        await askAndPrint(context, settingsFrom(context, options), { path }, options, asText);
        return;
      }
      const consistency = options.local === true ? 'local' : 'linearizable';
      const path = `/v1/kv/${keyInPath(key)}?consistency=${consistency}`;
      await askAndPrint(context, settingsFrom(context, options), { path }, options, (body) => describe(context, body));
    });
}

function describe(context: Context, body: unknown): string {
  const { value, sequence, consistency, replicas } = understood(valueSchema, body);
  const basis = `${consistency}, as of sequence ${String(sequence)}, on the word of ${replicas.join(', ')}`;
  return `${JSON.stringify(value)}\n${paint(context, 'dim', basis)}`;
}
