// Four companies settle with each other, keep the receipt of every transfer, and check all of them offline.
//
//   npm run settlement-ledger
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWithCluster } from '../support/cluster.js';

const companies = ['Acme', 'Bolt', 'Coil', 'Dyne'];
const machine = fileURLToPath(new URL('ledger.js', import.meta.url));

interface Settled {
  readonly sequence: number;
  readonly result: { readonly ok: boolean; readonly error?: { readonly code: string; readonly message: string } };
}

/** What happens: money comes in, some of it moves, and two orders must be refused. A run of its own has references of its own. */
function orders(run: string): readonly object[] {
  return [
    { op: 'deposit', to: 'Acme', cents: 100_00 },
    { op: 'transfer', from: 'Acme', to: 'Bolt', cents: 60_00, reference: `${run}/1` },
    { op: 'transfer', from: 'Bolt', to: 'Coil', cents: 25_50, reference: `${run}/2` },
    { op: 'transfer', from: 'Dyne', to: 'Acme', cents: 1_000_000_000_00, reference: `${run}/3` },
    { op: 'transfer', from: 'Acme', to: 'Bolt', cents: 60_00, reference: `${run}/1` },
    { op: 'transfer', from: 'Coil', to: 'Dyne', cents: 10_00, reference: `${run}/4` },
  ];
}

await runWithCluster({ names: companies, machine, folder: '.quorate/settlement-ledger' }, async (cluster) => {
  const receipts = join(cluster.folder, 'receipts');
  mkdirSync(receipts, { recursive: true });
  const kept: string[] = [];
  for (const order of orders(new Date().toISOString())) {
    const { text, body } = await cluster.ask('/v1/requests', { operation: order });
    const { sequence, result } = body as Settled;
    const file = join(receipts, `${String(sequence).padStart(6, '0')}.json`);
    writeFileSync(file, text);
    kept.push(file);
    console.log(
      `${String(sequence)}: ${JSON.stringify(order)} -> ${result.ok ? 'settled' : `refused, ${result.error?.code ?? ''}`}`,
    );
  }
  for (const company of companies) {
    const { status, body } = await cluster.ask(`/v1/kv/balance:${company}`);
    console.log(`${company} has ${String(status === 404 ? 0 : (body as { value: number }).value)} cents`);
  }
  await cluster.stop();
  // The cluster is gone: files are all that an auditor needs.
  const membership = join(cluster.folder, 'membership.json');
  for (const file of kept) {
    const { status } = spawnSync(process.execPath, [cluster.program, 'verify', file, '--membership', membership]);
    console.log(`${file}: ${status === 0 ? 'genuine' : 'REFUSED'}`);
    if (status !== 0) process.exitCode = 1;
  }
});
