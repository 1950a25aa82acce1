import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { freePort } from '../../src/cluster/ports.js';
import { plainEnvironment, Program } from '../support/processes.js';
import { temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

/** Runs an example to its end, as `npm run NAME` does, and gives what it said. */
async function outputOf(name: string, folder: string): Promise<string> {
  const flags = [`--gateway-port=${String(await freePort())}`, `--data-dir=${folder}`];
  const example = new Program(process.execPath, [`dist/examples/${name}/main.js`, ...flags], plainEnvironment());
  try {
    expect({ ...(await example.ended), output: example.output }).toMatchObject({ code: 0, signal: null });
    return example.output;
  } finally {
    await example.end();
  }
}

describe('examples that run to their end', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('settle between four companies, and verify every receipt after the cluster has ended', async () => {
    const output = await outputOf('settlement-ledger', folder);
    const outcomes = [...output.matchAll(/ -> (.*)$/gm)].map(([, outcome]) => outcome);
    const [settled, short, twice] = ['settled', 'refused, insufficient-funds', 'refused, already-settled'];
    expect(outcomes).toEqual([settled, settled, settled, short, twice, settled]);
    const balances = ['Acme has 4000', 'Bolt has 3450', 'Coil has 1550', 'Dyne has 1000'];
    for (const balance of balances) expect(output).toContain(`${balance} cents`);
    expect(output.match(/: genuine$/gm)).toHaveLength(6);
    expect(await readdir(join(folder, 'receipts'))).toHaveLength(6);
  });

  it('have two of three approve, and refuse who votes twice or too late', async () => {
    const output = await outputOf('approval', folder);
    const outcomes = [...output.matchAll(/ -> (.*)$/gm)].map(([, outcome]) => outcome);
    expect(outcomes).toEqual([
      ...['open', 'open', 'refused, already-voted', 'open', 'approved'],
      ...['open', 'open', 'rejected', 'refused, already-decided'],
    ]);
    expect(output).toContain('"outcome":"approved"');
  });
});
