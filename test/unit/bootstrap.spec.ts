import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../src/cluster/run-command.js';
import { plainEnvironment } from '../support/processes.js';

describe('npm start and npm test, before anything is installed', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-tmp-'));
    for (const file of ['package.json', 'package-lock.json', 'scripts']) {
      await cp(file, join(folder, 'clone', file), { recursive: true });
    }
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('install nothing through a link: npm would empty what it points to', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'precious'), 'kept');
    await symlink(elsewhere, join(folder, 'clone', 'node_modules'));
    const script = join(folder, 'clone', 'scripts', 'bootstrap.mjs');
    const result = await runCommand(process.execPath, [script, 'test', 'format'], {
      timeoutMs: 30_000,
      environment: plainEnvironment(),
    });
    expect(result.code).toBe(1);
    expect(result.stderr + result.stdout).toContain('node_modules is a symbolic link');
    expect(await readFile(join(elsewhere, 'precious'), 'utf8')).toBe('kept');
  });
});
