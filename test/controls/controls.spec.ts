import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { huntIn, playIn } from './child.js';
import type { Control } from './control.js';
import { controls } from './list/index.js';
import { scenarios, type Finding, type ScenarioName } from './scenarios/index.js';
import { writeTable, type Measured } from './table.js';
import { applied, Workshop } from './workshop.js';

/**
 * With MEASURE_CONTROLS=5000 (`npm run controls`) the simulator hunts for every control, too, from seed 1 up to this one, and
 * the table in docs/testing.md is written anew.
 */
const seeds = Number(process.env['MEASURE_CONTROLS'] ?? 0);
/** One control is worked at on each core. */
const atOnce = 2;
/** Hunts are long. */
const patienceMs = 60_000 + 5_000 * seeds * controls.length;

describe('the code with a mistake made on purpose', () => {
  const results = new Map<Control, Promise<Finding | undefined>>();
  const measured = new Map<Control, Measured>();
  let workshop: Workshop;

  async function examine(control: Control): Promise<Finding | undefined> {
    const tree = await workshop.patched(control);
    try {
      const played = await playIn(tree, [control.scenario]);
      const upTo = Array.from({ length: seeds }, (_, index) => index + 1);
      measured.set(control, { control, played, hunted: await huntIn(tree, upTo) });
      return played;
    } finally {
      workshop.remove(tree);
    }
  }

  beforeAll(async () => {
    workshop = await Workshop.open();
    const settle = new Map<Control, (result: Promise<Finding | undefined>) => void>();
    for (const control of controls) results.set(control, new Promise((resolve) => settle.set(control, resolve)));
    const waiting = [...controls];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const result = examine(next);
        settle.get(next)?.(result);
        await result.catch(() => undefined); // its test says so
      }
    };
    for (let worker = 0; worker < atOnce; worker++) void work();
  }, 120_000);

  afterAll(async () => {
    await Promise.allSettled(results.values());
    workshop.close();
    if (seeds > 0)
      writeTable(
        [...measured.values()].sort((a, b) => controls.indexOf(a.control) - controls.indexOf(b.control)),
        seeds,
      );
  });

  it.each(controls.map((control) => ({ name: control.name, control })))(
    '$name: is caught',
    async ({ control }) => {
      expect(await results.get(control)).toBeDefined();
    },
    patienceMs,
  );

  it('without it all scenarios end well', async () => {
    expect(await playIn(workshop.base, Object.keys(scenarios) as ScenarioName[])).toBeUndefined();
  }, 120_000);

  it(
    'without it the same seeds find nothing',
    async () => {
      await Promise.allSettled(results.values());
      const found = new Set([...measured.values()].flatMap(({ hunted }) => hunted?.seed ?? []));
      expect(await huntIn(workshop.base, [...found])).toBeUndefined();
    },
    patienceMs,
  );

  it('each has a name of its own, and no scenario is there for nothing', () => {
    expect(new Set(controls.map(({ name }) => name)).size).toBe(controls.length);
    expect(new Set(controls.map(({ scenario }) => scenario))).toEqual(new Set(Object.keys(scenarios)));
  });

  it('a patch that fits nowhere, or in two places, is an error', () => {
    const edit = { file: 'src/a.ts', find: 'q - 1', replace: 'q - 2' };
    expect(applied(edit, 'if (votes >= q - 1) return;')).toBe('if (votes >= q - 2) return;');
    for (const text of ['if (votes >= q) return;', 'q - 1, q - 1']) {
      expect(() => applied(edit, text)).toThrow('mend the control');
    }
  });
});
