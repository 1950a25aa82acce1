import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Finding, ScenarioName } from './scenarios/index.js';

const childMsMax = 900_000;
const outputBytesMax = 16 * 1024 * 1024;

/** A patch that makes code which does not even run proves nothing. */
const notCode = /\b(?:SyntaxError|ReferenceError|TypeError)\b/;

/** Plays directed scenarios in a tree, up to the first in which something goes wrong, in a process of its own. */
export async function playIn(tree: string, scenarios: readonly ScenarioName[]): Promise<Finding | undefined> {
  return scenarios.length === 0 ? undefined : await run(tree, 'play', scenarios);
}

/** Runs seeds in a tree's simulator, up to the first in which something goes wrong, in a process of its own. */
export async function huntIn(tree: string, seeds: readonly number[]): Promise<Finding | undefined> {
  return seeds.length === 0 ? undefined : await run(tree, 'hunt', seeds);
}

async function run(tree: string, name: 'play' | 'hunt', argument: unknown): Promise<Finding | undefined> {
  const url = pathToFileURL(resolve(tree, 'test/controls/scenarios/index.js')).href;
  const program = `
    const { ${name} } = await import(${JSON.stringify(url)});
    const finding = await ${name}(${JSON.stringify(argument)});
    process.stdout.write(JSON.stringify(finding ?? null), () => process.exit(0));`;
  const flags = ['--input-type=module', '--enable-source-maps', '--eval', program];
  const output = await new Promise<string>((resolved, reject) => {
    execFile(process.execPath, flags, { timeout: childMsMax, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      if (error === null) resolved(stdout);
      else reject(new Error(`${name} in ${tree}: ${error.message}\n${stderr}`));
    });
  });
  const finding = (JSON.parse(output) as Finding | null) ?? undefined;
  if (finding !== undefined && notCode.test(finding.what)) throw new Error(`this patch makes no code: ${finding.what}`);
  return finding;
}
