import { z } from 'zod';
import { harmless, paint, type Context } from './context.js';

/** What this client needs of `GET /v1/status`. */
export const statusSchema = z.object({
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

export type Status = z.infer<typeof statusSchema>;

/** The cluster in a heading, and a line for each replica. */
export function describeStatus(context: Context, status: Status): string {
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
  return `not voting: ${harmless(notVoting ?? 'it does not say why')}`;
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
