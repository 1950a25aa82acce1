import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../src/cluster/run-command.js';
import { PROGRAM } from '../../src/cluster/local-cluster.js';
import { areTestsLong } from '../support/long-tests.js';
import { plainEnvironment } from '../support/processes.js';

/** Those of a quick run but for etcd, which is rarely installed, and our own tool; with QUORATE_LONG_TESTS=1 all others, too. */
const QUICK = ['unloaded', 'saturation', 'rest', 'curve', 'one-down', 'primary-killed', 'one-process'];
const OTHERS = ['sizes', 'replicas', 'appendfsync', 'half-load', 'growth', 'overload', 'drift'];
const wanted = areTestsLong ? [...QUICK, ...OTHERS] : QUICK;
const TIMEOUT_MS = 400_000;

interface Row {
  readonly label: string;
  readonly failed: object;
  readonly perSecond: { readonly median: number };
}

interface Report {
  readonly machine: { readonly cores: number };
  readonly sections: readonly {
    readonly name: string;
    readonly rows?: readonly Row[];
    readonly notes?: readonly string[];
  }[];
  readonly ratios: Readonly<Record<string, { readonly median: number }>>;
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-tmp-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('quorate bench', () => {
  it(
    'measures everything, and leaves nothing behind',
    async () => {
      const short = ['--quick', '--runs', '1', '--seconds', '0.5', '--warmup', '0.3', '--outstanding', '64'];
      const args = [PROGRAM, 'bench', '--only', wanted.join(','), ...short, '--appendfsync', 'no', '--json'];
      const result = await runCommand(process.execPath, args, {
        timeoutMs: TIMEOUT_MS,
        environment: plainEnvironment({ TMPDIR: folder }),
      });
      expect(result.stderr).not.toContain('Error');
      const report = JSON.parse(result.stdout) as Report;
      expect(report.machine.cores).toBeGreaterThan(0);
      expect(new Set(report.sections.map(({ name }) => name))).toEqual(new Set(wanted));
      for (const { rows = [], notes = [] } of report.sections) {
        expect(rows.length + notes.length).toBeGreaterThan(0);
        for (const { label, perSecond } of rows)
          expect({ label, isMeasured: perSecond.median > 0 }).toEqual({ label, isMeasured: true });
      }
      const names = ['unloadedToFloor', 'saturationToFloor', 'restToBareNest', 'oneDownToAllUp'];
      for (const name of names) expect(report.ratios[name]?.median).toBeGreaterThan(0);
      expect(await readdir(folder)).toEqual([]);
    },
    TIMEOUT_MS + 10_000,
  );

  it('knows its workloads', async () => {
    const args = [PROGRAM, 'bench', '--only', 'unloaded,speed'];
    const result = await runCommand(process.execPath, args, { timeoutMs: 60_000, environment: plainEnvironment() });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('there is no speed, but unloaded, saturation');
  });
});
