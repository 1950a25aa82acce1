import type { Command } from 'commander';
import { z } from 'zod';
import { addSettingFlags, paint, settingsFrom, type Context, type SettingOptions } from '../context.js';
import { askAndPrint, understood, type AnswerOptions } from '../gateway-client.js';

const statusSchema = z.object({
  cluster: z.string(),
  epoch: z.number(),
  view: z.number(),
  primary: z.string(),
  n: z.number(),
  f: z.number(),
  quorum: z.number(),
  replicas: z.array(
    z.object({
      replica: z.string(),
      connected: z.boolean(),
      voting: z.boolean().nullable(),
      notVoting: z.string().nullable(),
      view: z.number().nullable(),
      lastExecuted: z.number().nullable(),
      stableCheckpoint: z.number().nullable(),
      stateDigest: z.string().nullable(),
    }),
  ),
});

type Status = z.infer<typeof statusSchema>;

export function addStatus(program: Command, context: Context): void {
  const command = program
    .command('status')
    .description('who is primary, and how far each replica is')
    .option('--json', 'print the answer as the gateway sent it');
  addSettingFlags(command, 'url').action(async (options: SettingOptions & AnswerOptions) => {
    const settings = settingsFrom(context, options);
    await askAndPrint(context, settings, { path: '/v1/status' }, options, (body) =>
      describe(context, understood(statusSchema, body)),
    );
  });
}

function describe(context: Context, status: Status): string {
  const { cluster, epoch, view, primary, n, f, quorum } = status;
  const heading = `${cluster}, epoch ${String(epoch)}, view ${String(view)}: primary ${primary}; n ${String(n)}, f ${String(f)}, quorum ${String(quorum)}`;
  const rows = status.replicas.map((replica) => [
    replica.replica,
    conditionOf(replica),
    text(replica.view),
    text(replica.lastExecuted),
    text(replica.stableCheckpoint),
    replica.stateDigest?.slice(0, 16) ?? '-',
  ]);
  const lines = table([['replica', 'condition', 'view', 'executed', 'checkpoint', 'state'], ...rows]);
  const painted = lines.map((line, index) => {
    if (index === 0) return paint(context, 'dim', line);
    return status.replicas[index - 1]?.connected === true ? line : paint(context, 'red', line);
  });
  return [paint(context, 'bold', heading), ...painted].join('\n');
}

function conditionOf({ connected, voting, notVoting }: Status['replicas'][number]): string {
  if (!connected) return 'not heard of';
  if (voting !== false) return 'voting';
  // Its own words: they must not move a terminal's cursor.
  return `not voting: ${(notVoting ?? 'it does not say why').replaceAll(/[^\x20-\x7e]/g, '?')}`;
}

function text(value: number | null): string {
  return value === null ? '-' : String(value);
}

/** Columns as wide as what stands in them. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
