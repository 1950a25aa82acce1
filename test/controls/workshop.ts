import { transform, type Options } from '@swc/core';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Control, Edit } from './control.js';

/** Below node_modules, so that the packages which the trees import are found where they always are. */
const cache = 'node_modules/.cache/quorate/controls';
/** What a tree holds: everything that runs, and the scenarios with what these stand on. */
const roots = ['src', 'test/controls/scenarios', 'test/support'];

/** As jest.config.mjs has it. */
const options: Options = {
  swcrc: false,
  sourceMaps: 'inline',
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
  module: { type: 'es6' },
};

/** Makes trees of runnable files: one of the code as it is, and for each control one with the patch applied. */
export class Workshop {
  /** The code as it is. */
  readonly base: string;
  private count = 0;

  private constructor(
    private readonly folder: string,
    private readonly sources: readonly string[],
  ) {
    this.base = join(folder, 'base');
  }

  static async open(): Promise<Workshop> {
    removeAbandoned();
    const workshop = new Workshop(join(cache, String(process.pid)), roots.flatMap(sourcesBelow));
    await workshop.makeBase();
    return workshop;
  }

  /** A tree with the control's patch. @throws when the patch does not fit the code any more */
  async patched(control: Control): Promise<string> {
    const tree = join(this.folder, `patched-${++this.count}`);
    const patched = new Map<string, string>();
    for (const edit of control.edits) {
      const text = patched.get(edit.file) ?? readFileSync(edit.file, 'utf8');
      patched.set(edit.file, applied(edit, text));
    }
    for (const source of [...this.sources.map(runnable), 'package.json']) {
      mkdirSync(dirname(join(tree, source)), { recursive: true });
      linkSync(join(this.base, source), join(tree, source));
    }
    for (const [source, text] of patched) {
      const target = join(tree, runnable(source));
      unlinkSync(target); // the base has a link to the same file
      writeFileSync(target, await transpiled(source, text));
    }
    return tree;
  }

  remove(tree: string): void {
    rmSync(tree, { recursive: true, force: true });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async makeBase(): Promise<void> {
    await Promise.all(
      this.sources.map(async (source) => {
        const target = join(this.base, runnable(source));
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, await transpiled(source, readFileSync(source, 'utf8')));
      }),
    );
    copyFileSync('package.json', join(this.base, 'package.json'));
  }
}

/** @throws unless what is to be replaced is there, once: a control that patches nothing shows nothing */
export function applied({ file, find, replace }: Edit, text: string): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} has this ${parts.length - 1} times, not once: mend the control\n${find}`);
  }
  return parts.join(replace);
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.(?:spec|suite|d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function runnable(source: string): string {
  return source.replace(/\.ts$/, '.js');
}

async function transpiled(source: string, text: string): Promise<string> {
  return (await transform(text, { ...options, filename: source })).code;
}

/** What a run left behind that was killed. */
function removeAbandoned(): void {
  mkdirSync(cache, { recursive: true });
  for (const pid of readdirSync(cache)) {
    if (!isAlive(Number(pid))) rmSync(join(cache, pid), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
