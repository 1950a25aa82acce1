import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildExamples } from './examples.mjs';
import { run } from './processes.mjs';
import { progress } from './progress.mjs';
import { tool } from './tools.mjs';

/** What the build is made of. */
const SOURCES = ['src', 'examples', 'package-lock.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json'];
/** Which sources the build is that of. In the output folder, which every build empties first. */
const STAMP = 'dist/.quorate-built';

/** Runs `nest build` unless the build is that of these very sources. Throws with the compiler's words when that fails. */
export async function build() {
  const wanted = digestOf(SOURCES);
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  const shown = progress('Building (nest build)');
  const { code, output } = await run(process.execPath, [tool('@nestjs/cli', 'nest'), 'build'], { quiet: true });
  if (code !== 0) {
    shown.failed();
    throw new Error(`the build failed:\n${output.trim()}`);
  }
  await buildExamples();
  shown.done();
  writeFileSync(STAMP, wanted);
}

function digestOf(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const files = path === 'src' || path === 'examples' ? filesBelow(path) : [path];
    for (const file of files) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
