import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Control } from './control.js';
import type { Finding } from './scenarios/index.js';

/** Which seed of the simulator catches which control, as it was measured last. */
const file = 'test/controls/caught.json';
const page = 'docs/testing.md';
const [begin, end] = ['<!-- controls -->', '<!-- end of controls -->'];

type Caught = Readonly<Record<string, Finding>>;

export function readCaught(): Caught {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Caught) : {};
}

export function writeCaught(caught: Caught): void {
  writeFileSync(file, `${JSON.stringify(caught, null, 2)}\n`);
}

/** Puts the table into docs/testing.md. */
export function writeTable(controls: readonly Control[], caught: Caught): void {
  const rows = controls.map(({ name, rule, scenario }) => {
    const found = caught[name];
    const seed = found?.seed === undefined ? '–' : `${found.seed}, ${found.checker}`;
    return `| ${name} | ${rule} | ${seed} | ${scenario ?? '–'} |`;
  });
  const head = [
    '| control | rule | seed, and the checker that saw it | directed scenario |',
    '| --- | --- | --- | --- |',
  ];
  const text = readFileSync(page, 'utf8');
  const [before, rest] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
  writeFileSync(page, `${before}${begin}\n\n${[...head, ...rows].join('\n')}\n\n${rest}`);
}
