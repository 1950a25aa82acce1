import { expect } from '@jest/globals';
import { relative } from 'node:path';
import { Random } from '../../src/simulator/random.js';

export { Random };

/** The variable that has every seeded test run with one seed only. */
const variable = 'QUORATE_SEED';

/**
 * Runs `body` once for each of `count` seeds, always the same ones; with QUORATE_SEED set, for that one alone. What fails
 * says with which seed, and the command that runs it again.
 */
export function forEachSeed(count: number, body: (random: Random) => void): void {
  const asked = process.env[variable];
  const seeds = asked === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(asked)];
  for (const seed of seeds) {
    try {
      body(new Random(seed));
    } catch (error) {
      throw new Error(`with seed ${seed}: ${String(error)}\nto see it again: ${replayCommand(seed)}`, { cause: error });
    }
  }
}

/** The first of `count` seeds with which `body` holds; `undefined` when there is none. */
export function findSeed(count: number, body: (random: Random) => boolean): number | undefined {
  for (let seed = 1; seed <= count; seed++) if (body(new Random(seed))) return seed;
  return undefined;
}

function replayCommand(seed: number): string {
  const { testPath = '', currentTestName = '' } = expect.getState();
  const name = currentTestName.replaceAll(/[^\w ]/g, '.');
  const file = relative(process.cwd(), testPath);
  return `${variable}=${seed} NODE_OPTIONS=--experimental-vm-modules npx jest ${file} -t '${name}'`;
}

/** All orders of `items`. */
export function* permutations<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length <= 1) {
    yield items;
    return;
  }
  for (const [index, first] of items.entries()) {
    const rest = [...items.slice(0, index), ...items.slice(index + 1)];
    for (const order of permutations(rest)) yield [first, ...order];
  }
}
