import { expect } from '@jest/globals';
import { relative } from 'node:path';

/** Pseudo-random numbers from a seed (mulberry32): the same for the same seed, on every machine. */
export class Random {
  private state: number;

  constructor(readonly seed: number) {
    this.state = seed;
  }

  /** At least 0, less than 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, key: this.next() }));
    return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
  }
}

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
