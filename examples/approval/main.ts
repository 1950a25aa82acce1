// Ada, Grace and Edsger release software: two of the three must approve.
//
//   npm run approval
import { fileURLToPath } from 'node:url';
import { runWithCluster } from '../support/cluster.js';

const machine = fileURLToPath(new URL('approval.js', import.meta.url));
const names = ['replica-1', 'replica-2', 'replica-3', 'replica-4'];

interface Outcome {
  readonly result: { readonly ok: boolean; readonly outcome?: string; readonly error?: { readonly code: string } };
}

/** Two proposals: one is approved by two of three, the other rejected; votes that come too often or too late are refused. */
function requests(run: string): readonly object[] {
  const [release, rewrite] = [`release-${run}`, `rewrite-${run}`];
  const decide = (id: string, by: string, decision: string): object => ({ op: 'decide', id, by, decision });
  return [
    { op: 'propose', id: release, what: 'ship version 2' },
    decide(release, 'Ada', 'approve'),
    decide(release, 'Ada', 'approve'),
    decide(release, 'Edsger', 'reject'),
    decide(release, 'Grace', 'approve'),
    { op: 'propose', id: rewrite, what: 'write it anew' },
    decide(rewrite, 'Grace', 'reject'),
    decide(rewrite, 'Edsger', 'reject'),
    decide(rewrite, 'Ada', 'approve'),
  ];
}

await runWithCluster({ names, machine, folder: '.quorate/approval' }, async (cluster) => {
  const run = String(Date.now());
  for (const operation of requests(run)) {
    const { body } = await cluster.ask('/v1/requests', { operation });
    const { ok, outcome, error } = (body as Outcome).result;
    console.log(`${JSON.stringify(operation)} -> ${ok ? (outcome ?? '') : `refused, ${error?.code ?? ''}`}`);
  }
  const { body } = await cluster.ask(`/v1/kv/release-${run}`);
  console.log(`the release: ${JSON.stringify((body as { value: unknown }).value)}`);
});
