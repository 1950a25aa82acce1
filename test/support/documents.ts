import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What the documents promise is tried, block by block. A comment right above a block says what is to be done with it:
 *
 * - `<!-- covered by test/…: why -->`: its commands are run by that test, not with the others;
 * - `<!-- prints -->`: it is what the command before it prints; `…` stands for anything, and lines may be left out;
 * - `<!-- compiled with: … -->`: for TypeScript, the lines that come before it; with `/* here *\/` among them, around it.
 */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The comment right above it. */
  readonly mark: string;
}

/** A command, a continued line being one, and what its page says that it prints. */
export interface Step {
  readonly command: string;
  readonly prints?: string;
}

const folders = ['.', 'docs', 'bench/skeleton', ...readdirSync('examples').map((name) => join('examples', name))];

/** Every document that this project is read by, but for the list of changes. */
export const DOCUMENTS: readonly string[] = folders
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md');

export function blocksOf(document: string): Block[] {
  const blocks = /(?:<!--((?:(?!-->)[\s\S])*)-->\s*\n)?^( *)```(\w*)[^\n]*\n([\s\S]*?)^\2```$/gm;
  return [...document.matchAll(blocks)].map(([, mark = '', , language = '', text = '']) => {
    return { language, text, mark: mark.trim() };
  });
}

/** The test that runs this block, where that is another than the one of the documents. */
export function coverageOf({ mark }: Block, document: string): string | undefined {
  const [, whole] = /^<!-- every command of this page is run by (\S+) -->$/m.exec(document) ?? [];
  return whole ?? /^covered by ([^\s:]+): ./.exec(mark)?.[1];
}

/** What a block's commands are, each with what it prints where that is said. */
export function stepsOf(document: string): Step[] {
  const steps: Step[] = [];
  for (const block of blocksOf(document)) {
    const last = steps.at(-1);
    if (block.mark === 'prints' && last !== undefined) steps.splice(-1, 1, { ...last, prints: block.text });
    else if (block.language === 'sh' && !block.mark.startsWith('covered by ')) {
      const lines = block.text.replaceAll('\\\n', ' ').trim().split('\n');
      steps.push(...lines.map((command) => ({ command })));
    }
  }
  return steps;
}

/** Lines of what a page shows that the output does not have, in their order. */
export function missingLines(shown: string, output: string): string[] {
  const lines = output.replaceAll('\r', '').split('\n');
  const missing: string[] = [];
  let next = 0;
  for (const line of shown.trimEnd().split('\n')) {
    const pattern = new RegExp(`^${line.split('…').map(escaped).join('.*')}$`, 'i');
    const place = lines.findIndex((each, index) => index >= next && pattern.test(each));
    if (place === -1) missing.push(line);
    else next = place + 1;
  }
  return missing;
}

/** The TypeScript of all documents as modules, by their names: `embedding-1.mts` is the first block of docs/embedding.md. */
export function modulesOf(documents: readonly string[]): Map<string, string> {
  const modules = new Map<string, string>();
  for (const file of documents) {
    const blocks = blocksOf(readFileSync(file, 'utf8')).filter(({ language }) => language === 'ts');
    for (const [index, { mark, text }] of blocks.entries()) {
      const given = /^compiled with:\n([\s\S]*)$/.exec(mark)?.[1] ?? '';
      const whole = given.includes('/* here */') ? given.replace('/* here */', () => text) : `${given}\n${text}`;
      modules.set(`${/([\w-]+)\.md$/.exec(file)?.[1] ?? ''}-${String(index + 1)}.mts`, `${whole}\nexport {};\n`);
    }
  }
  return modules;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
