import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { ScriptedCluster } from '../../src/simulator/scripted-cluster.js';
import { simulate } from '../../src/simulator/simulate.js';
import { encodeFetch } from '../../src/wire/service.js';
import { found } from './found.js';

describe('what the simulator has found', () => {
  it.each(found)('stays mended: seed $seed, $what', async ({ shownBy }) => {
    if (typeof shownBy === 'number') {
      expect((await simulate(shownBy)).violation).toBeUndefined();
      return;
    }
    const [file, title] = shownBy;
    const text = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
    expect(text).toContain(`it('${title}'`);
  });

  // Seed 400261 with seven replicas, told in a few lines.
  it('shows nobody a COMMIT that waits for Redis', async () => {
    const cluster = await ScriptedCluster.start();
    const { logRedis } = cluster.cluster.parts;
    const phases = ['pre-prepare', 'prepare', 'commit'] as const;
    const held: { readonly kind: (typeof phases)[number]; readonly bytes: Buffer; readonly from: string }[] = [];
    const deliver = cluster.lose(({ from, to, frame }) => {
      const kind = phases.find((phase) => phase === frame.kind);
      if (to !== 'replica-4' || kind === undefined) return false;
      held.push({ kind, bytes: frame.bytes, from });
      return true;
    });
    await cluster.submit({ op: 'put', key: 'k', value: 1 });
    deliver();
    logRedis.refusal = 'OOM';
    // The turn with its PREPARE does not get through, and the one with its COMMIT waits behind it.
    for (const phase of phases) {
      for (const { kind, bytes, from } of held) if (kind === phase) cluster.pass(from, bytes, kind, [3]);
      await cluster.runFor(10);
    }
    await cluster.until('it has executed', () => cluster.core(3).lastExecuted === 1);
    cluster.say(0, 'fetch', encodeFetch({ target: 3, from: 1, count: 1 }), { channel: 'state' });
    await cluster.runFor(200);
    expect(cluster.violation).toBeUndefined();
    logRedis.refusal = undefined;
    await cluster.runFor(200);
    cluster.say(0, 'fetch', encodeFetch({ target: 3, from: 1, count: 1 }), { channel: 'state' });
    await cluster.runFor(200);
    expect(cluster.violation).toBeUndefined();
    expect(cluster.trace.some((line) => line.includes('decided 1') && line.includes('replica-4 →'))).toBe(true);
  });

  // Seed 503596 with seven replicas, told in a few lines.
  it('stores a checkpoint that was stable before a restart, and not stored yet', async () => {
    const cluster = await ScriptedCluster.start({ checkpointInterval: 4, logSize: 8 });
    const own = (): Map<string, Buffer> => cluster.cluster.parts.logRedis.hashesOf('replica-4').get('replica')!;
    for (let count = 0; count < 4; count++) await cluster.submit({ op: 'increment', key: 'k', by: 1 });
    await cluster.until('it is stable', () => own().get('stable-checkpoint')?.toString() === '4');
    cluster.kill(3);
    own().delete('stored-checkpoint'); // as if it had died before it was stored
    await cluster.revive(3);
    expect(cluster.core(3).stable.sequence).toBe(4);
    await cluster.until('it is stored', () => (own().get('stored-checkpoint')?.length ?? 0) > 0);
    expect(cluster.violation).toBeUndefined();
  });
});
