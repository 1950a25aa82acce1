import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { cli } from './support.js';

let parent: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'quorate-init-'));
});

afterEach(async () => {
  await rm(parent, { recursive: true });
});

const files = [
  ...['.dockerignore', '.gitignore', 'Dockerfile', 'README.md', 'docker-compose.yml', 'package.json'],
  ...['service.js', 'service.test.js'],
];

it('writes a project into a new folder, and says what comes next', async () => {
  const folder = join(parent, 'warehouse');
  const { code, out } = await cli(['init', folder]);
  expect(code).toBe(0);
  expect(out).toContain('npm install\n  npm test\n  npm start');
  expect((await readdir(folder)).sort()).toEqual(files);
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as object;
  const dependencies = { quorate: expect.stringMatching(/^\^\d/), zod: expect.stringMatching(/^\^4/) };
  expect(manifest).toMatchObject({ name: 'warehouse', type: 'module', dependencies });
  expect(await readFile(join(folder, 'service.js'), 'utf8')).toContain("name = 'warehouse@1'");
});

it('takes an empty folder and another name, and says it as JSON', async () => {
  const { code, out } = await cli(['init', parent, '--name', 'stock-2', '--json']);
  expect(code).toBe(0);
  const said = JSON.parse(out) as { name: string; files: string[] };
  expect({ ...said, files: said.files.sort() }).toEqual({ name: 'stock-2', folder: parent, files });
  expect(await readFile(join(parent, 'docker-compose.yml'), 'utf8')).toContain('CLUSTER: stock-2');
});

it('touches nothing in a folder that is not empty', async () => {
  await writeFile(join(parent, 'mine'), 'mine');
  const { code, err } = await cli(['init', parent, '--name', 'stock']);
  expect([code, err]).toEqual([1, expect.stringContaining('folder-not-empty')]);
  expect(await readdir(parent)).toEqual(['mine']);
});

it.each(['', 'Shop', '1st', 'a_b', 'a'.repeat(31), '../up', 'x"y'])('refuses the name "%s"', async (name) => {
  const { code, err } = await cli(['init', join(parent, 'new'), `--name=${name}`]);
  expect([code, err]).toEqual([2, expect.stringContaining('cannot name a project')]);
  expect(await readdir(parent)).toEqual([]);
});

it('refuses a file in the place of the folder', async () => {
  await writeFile(join(parent, 'file'), '');
  expect((await cli(['init', join(parent, 'file'), '--name', 'stock'])).code).toBe(2);
});
