import { simulate } from '../../../src/simulator/simulate.js';
import { normalCase } from './normal-case.js';
import { onTheWire } from './on-the-wire.js';
import { pledges } from './pledges.js';
import { proposals } from './proposals.js';
import { readersFound } from './readers-found.js';
import { recovery } from './recovery.js';
import { viewChanges } from './view-change.js';

/**
 * What runs in a tree of `test/controls/workshop.ts`, in a process of its own: the only module that is started there.
 * Directed scenarios throw when something happens that must never happen.
 */
export const scenarios = {
  ...normalCase,
  ...viewChanges,
  ...recovery,
  ...onTheWire,
  ...pledges,
  ...proposals,
  ...readersFound,
} satisfies Record<string, () => void | Promise<void>>;

export type ScenarioName = keyof typeof scenarios;

/** What a checker has found. */
export interface Finding {
  readonly seed?: number;
  readonly checker: string;
  readonly what: string;
}

/** Plays these scenarios, up to the first in which something goes wrong. */
export async function play(names: readonly ScenarioName[]): Promise<Finding | undefined> {
  for (const name of names) {
    const scenario: () => void | Promise<void> = scenarios[name];
    try {
      await scenario();
    } catch (error) {
      return { checker: name, what: String(error).replace(/^Error: /, '') };
    }
  }
  return undefined;
}

/** Runs these seeds in the simulator, up to the first in which something goes wrong. */
export async function hunt(seeds: readonly number[]): Promise<Finding | undefined> {
  for (const seed of seeds) {
    const { violation } = await simulate(seed);
    if (violation !== undefined) return { seed, ...violation };
  }
  return undefined;
}
