import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { simulateMany } from '../../src/simulator/jobs.js';
import { reportOf } from '../../src/simulator/report.js';
import { simulate } from '../../src/simulator/simulate.js';

const seeds = [3, 17, 50];

async function traceOf(seed: number): Promise<string> {
  const lines: string[] = [];
  await simulate(seed, {}, (line) => lines.push(line));
  return lines.join('\n');
}

function quorate(...flags: string[]): string {
  return execFileSync(process.execPath, ['bin/quorate.mjs', 'simulate', ...flags], { encoding: 'utf8' });
}

describe('the same seed', () => {
  it.each(seeds)(
    'gives the same trace, byte for byte: %s',
    async (seed) => {
      const trace = await traceOf(seed);
      expect(trace.length).toBeGreaterThan(10_000);
      expect(await traceOf(seed)).toBe(trace);
    },
    120_000,
  );

  it('gives the same trace in another process', async () => {
    const printed = quorate('--seed=17', '--trace');
    expect(printed.startsWith(`${await traceOf(17)}\n`)).toBe(true);
  }, 120_000);

  it('comes to the same whether its trace is wanted or not', async () => {
    expect(await simulate(17, {}, () => undefined)).toEqual(await simulate(17));
  }, 120_000);

  it('gives the same report, however many threads share the seeds', async () => {
    const alone = quorate('--seeds=12', '--json', '--jobs=1');
    expect(quorate('--seeds=12', '--json', '--jobs=3')).toBe(alone);
    expect(reportOf(1, await simulateMany(1, 12, {}, 1), [])).toEqual(JSON.parse(alone));
  }, 300_000);
});
