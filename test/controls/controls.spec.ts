import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readCaught, writeCaught, writeTable } from './caught.js';
import { huntIn, playIn } from './child.js';
import type { Control } from './control.js';
import { controls } from './list/index.js';
import { scenarios, type Finding, type ScenarioName } from './scenarios/index.js';
import { applied, Workshop } from './workshop.js';

/**
 * With MEASURE_CONTROLS=1 (`npm run controls`) every control is hunted for from the first seed on, and what was found is
 * written down; otherwise the seed that was found is run again.
 */
const isMeasuring = process.env['MEASURE_CONTROLS'] === '1';
/** A control that no scenario catches must be caught within so many seeds. */
const seedsMax = 5_000;
/** After a change of the code a seed means another run: then so many are looked through before a control counts as missed. */
const seedsAgain = 300;
/** One control is worked at on each core. */
const atOnce = 2;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** What was found out about a control. */
interface Result {
  /** By the simulator. */
  readonly hunted: Finding | undefined;
  /** By its scenario, if it has one. */
  readonly played: Finding | undefined;
}

describe('the code with a mistake made on purpose', () => {
  const known = readCaught();
  const results = new Map<string, Promise<Result>>();
  let workshop: Workshop;

  async function examine(control: Control): Promise<Result> {
    const tree = await workshop.patched(control);
    try {
      const { scenario } = control;
      const played = await playIn(tree, scenario === undefined ? [] : [scenario]);
      return { hunted: await hunt(tree, control), played };
    } finally {
      workshop.remove(tree);
    }
  }

  async function hunt(tree: string, { name, scenario }: Control): Promise<Finding | undefined> {
    if (isMeasuring) return await huntIn(tree, upTo(seedsMax));
    const seed = known[name]?.seed;
    const found = await huntIn(tree, seed === undefined ? [] : [seed]);
    return found ?? (scenario === undefined ? await huntIn(tree, upTo(seedsAgain)) : undefined);
  }

  beforeAll(async () => {
    workshop = await Workshop.open();
    const waiting = [...controls];
    const settle = new Map<string, (result: Promise<Result>) => void>();
    for (const { name } of controls) results.set(name, new Promise((resolve) => settle.set(name, resolve)));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const result = examine(next);
        settle.get(next.name)?.(result);
        await result.catch(() => undefined); // its test says so
      }
    };
    for (let worker = 0; worker < atOnce; worker++) void work();
  }, 120_000);

  afterAll(async () => {
    const all = await Promise.allSettled(results.values());
    workshop.close();
    if (!isMeasuring) return;
    const found = controls.flatMap(({ name }, index) => {
      const result = all[index];
      const hunted = result?.status === 'fulfilled' ? result.value.hunted : undefined;
      return hunted === undefined ? [] : [[name, { ...hunted, what: hunted.what.split('\n')[0] ?? '' }] as const];
    });
    writeCaught(Object.fromEntries(found));
    writeTable(controls, Object.fromEntries(found));
  });

  it.each(controls)(
    '$name: is caught',
    async ({ name, scenario }) => {
      const { hunted, played } = await results.get(name)!;
      if (scenario !== undefined) expect(played).toBeDefined();
      else expect(hunted).toBeDefined();
    },
    3_600_000,
  );

  it('without it nothing is found in any scenario', async () => {
    expect(await playIn(workshop.base, Object.keys(scenarios) as ScenarioName[])).toBeUndefined();
  }, 120_000);

  it('without it nothing is found with the same seeds', async () => {
    const seeds = Object.values(known).flatMap(({ seed }) => seed ?? []);
    expect(await huntIn(workshop.base, [...new Set(seeds)])).toBeUndefined();
  }, 600_000);

  it('each has a name of its own, and no scenario is there for nothing', () => {
    expect(new Set(controls.map(({ name }) => name)).size).toBe(controls.length);
    expect(new Set(controls.flatMap(({ scenario }) => scenario ?? []))).toEqual(new Set(Object.keys(scenarios)));
  });

  it('a patch that fits nowhere, or in two places, is an error', () => {
    const edit = { file: 'src/a.ts', find: 'q - 1', replace: 'q - 2' };
    expect(applied(edit, 'if (votes >= q - 1) return;')).toBe('if (votes >= q - 2) return;');
    for (const text of ['if (votes >= q) return;', 'q - 1, q - 1']) {
      expect(() => applied(edit, text)).toThrow('mend the control');
    }
  });
});
