import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Report } from '../../src/simulator/report.js';

/** The seeds that `npm test` runs. */
const campaigns = [
  { n: 4, firstSeed: 1, seeds: 2_000 },
  { n: 7, firstSeed: 500_001, seeds: 300 },
];
const outputBytesMax = 16 * 1024 * 1024;

/** `quorate simulate`, as built: on all cores, and out of the reach of the test runner, which is in the way of speed. */
async function campaign(seed: number, seeds: number, replicas: number): Promise<Report> {
  const flags = [`--seed=${seed}`, `--seeds=${seeds}`, `--replicas=${replicas}`, '--no-shrink', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, ['bin/quorate.mjs', 'simulate', ...flags], {
    maxBuffer: outputBytesMax,
  }).catch((error: unknown) => {
    const { stdout: report, stderr } = error as { stdout: string; stderr: string };
    if (!report.startsWith('{')) throw new Error(`quorate simulate ${flags.join(' ')}\n${stderr}\n${report}`);
    return { stdout: report }; // with violations in it
  });
  return JSON.parse(stdout) as Report;
}

describe('a cluster to which everything happens that can', () => {
  it.each(campaigns)(
    'violates nothing with $n replicas in $seeds seeds from $firstSeed on',
    async ({ n, firstSeed, seeds }) => {
      const report = await campaign(firstSeed, seeds, n);
      expect(report.violations).toEqual([]);
      // Whether what is to be survived happens at all.
      expect(report).toMatchObject({ firstSeed, seeds });
      for (const total of ['viewChanges', 'checkpoints', 'restarts', 'answered'] as const) {
        expect(report[total]).toBeGreaterThan(seeds / 10);
      }
    },
    900_000,
  );
});
