import type { Command } from 'commander';
import { z } from 'zod';
import { addSettingFlags, paint, settingsFrom, UsageError, type Context, type SettingOptions } from '../context.js';
import { askAndPrint, understood, type AnswerOptions } from '../gateway-client.js';

interface Options extends SettingOptions, AnswerOptions {
  readonly key?: string;
}

const replySchema = z.object({
  view: z.number(),
  sequence: z.number(),
  result: z.unknown(),
  receipt: z.object({ signatures: z.array(z.object({ replica: z.string() })) }),
});

export function addSubmit(program: Command, context: Context): void {
  const command = program
    .command('submit')
    .argument('<operation>', 'the operation, as JSON; - reads it from standard input')
    .description('have one operation agreed and executed, and print its result')
    .option('--key <key>', 'idempotency key: executed once, however often it is sent')
    .option('--json', 'print the whole reply, with its receipt, as the gateway sent it');
  addSettingFlags(command, 'url')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate submit '{"op":"put","key":"a","value":1}'
  $ quorate submit --key order-17 '{"op":"increment","key":"orders"}'
  $ quorate submit --json '{"op":"get","key":"a"}' > reply.json`,
    )
    .action(async (argument: string, options: Options) => {
      const settings = settingsFrom(context, options);
      const operation = argument === '-' ? await context.readStdin() : argument;
      assertJson(operation);
      const headers = {
        'content-type': 'application/json',
        ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      };
      // The operation goes as it was typed: reading and writing it anew would round what does not fit into a double.
      const init = { method: 'POST', headers, body: `{"operation":${operation}}` };
      await askAndPrint(context, settings, { path: '/v1/requests', init }, options, (body) => describe(context, body));
    });
}

function assertJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `the operation is not JSON (${(error as Error).message}); mind the shell's quotes: '{"op":…}'`,
    );
  }
}

function describe(context: Context, body: unknown): string {
  const { view, sequence, result, receipt } = understood(replySchema, body);
  const signers = receipt.signatures.map(({ replica }) => replica).join(', ');
  const basis = `sequence ${String(sequence)}, view ${String(view)}, signed by ${signers}`;
  return `${JSON.stringify(result)}\n${paint(context, 'dim', basis)}`;
}
