import { readFileSync, writeFileSync } from 'node:fs';
import type { Control } from './control.js';
import type { Finding } from './scenarios/index.js';

const page = 'docs/testing.md';
const [begin, end] = ['<!-- controls -->', '<!-- end of controls -->'];

/** A control with what its scenario came to, and what the simulator found in so many seeds. */
export interface Measured {
  readonly control: Control;
  readonly played: Finding | undefined;
  readonly hunted: Finding | undefined;
}

/** Writes the table of controls anew, in its place in docs/testing.md. */
export function writeTable(measured: readonly Measured[], seeds: number): void {
  const rows = measured.map(({ control, played, hunted }) => {
    const seed = hunted === undefined ? `not in ${seeds}` : `${hunted.seed ?? ''}, ${hunted.checker}`;
    return [control.name, control.rule, control.scenario, shortened(played?.what ?? 'nothing'), seed];
  });
  const head = [
    'control',
    'rule',
    'directed scenario',
    'what it ends with',
    'first seed that finds it, and the checker',
  ];
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  writeFileSync(page, `${text.slice(0, from)}\n\n${lines.join('\n')}\n\n${text.slice(to)}`);
}

/** One line, without what a reader of the table cannot know: digests and requests. */
function shortened(what: string): string {
  const line = what.split('\n')[0] ?? '';
  return line
    .replaceAll(/batch\(\d+\/\d+\/bundle\([^/]*\/\d+\/([^:]*):[^)]*\)\)/g, '$1')
    .replaceAll(/\/(\w+#\d+)\/(\d+)/g, '/$1 of $2')
    .replaceAll('|', '\\|');
}
