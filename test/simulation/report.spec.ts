import { describe, expect, it } from '@jest/globals';
import { runCli } from '../../src/cli/main.js';
import { faultKinds, type FaultKind } from '../../src/simulator/fault-kinds.js';
import type { SimulationOptions } from '../../src/simulator/profile.js';
import { isGood, reportOf, textOf } from '../../src/simulator/report.js';
import { commandFor, shrink } from '../../src/simulator/shrink.js';
import type { Outcome } from '../../src/simulator/simulate.js';

const violation = { checker: 'agreement', what: 'they differ' } as const;

function outcome(seed: number, more: Partial<Outcome> = {}): Outcome {
  return {
    seed,
    virtualMs: 3_600,
    steps: 10,
    messages: 5,
    viewChanges: 1,
    checkpoints: 2,
    stateTransfers: 0,
    stateLoads: 0,
    restarts: 1,
    requests: 8,
    answered: 8,
    slowest: 0.25,
    faults: {},
    violation: undefined,
    ...more,
  };
}

const everyKind = Object.fromEntries(faultKinds.map((kind) => [kind, 1])) as Record<FaultKind, number>;

describe('the report', () => {
  it('adds up', () => {
    const report = reportOf(7, [outcome(7, { faults: { loss: 2 } }), outcome(8, { slowest: 0.5 })], []);
    expect(report).toMatchObject({ firstSeed: 7, seeds: 2, virtualHours: 0.002, steps: 20, slowest: 0.5 });
    expect(report.faults).toMatchObject({ loss: 2, delay: 0 });
    expect(textOf(report)).toContain('seeds 7 to 8: no violation');
  });

  it('is not good when anything was violated', () => {
    const report = reportOf(1, [outcome(1), outcome(2, { violation })], []);
    expect(report.violations).toEqual([{ seed: 2, ...violation }]);
    expect(isGood(report)).toBe(false);
  });

  it('is not good when a kind never happened in a thousand seeds, unless it was left out', () => {
    const { twin: _, ...others } = everyKind;
    const outcomes = Array.from({ length: 1_000 }, (_unused, seed) => outcome(seed, { faults: others }));
    const report = reportOf(0, outcomes, []);
    expect(report.neverHappened).toEqual(['twin']);
    expect(isGood(report)).toBe(false);
    expect(textOf(report)).toContain('never happened: twin');
    expect(isGood(reportOf(0, outcomes, ['twin']))).toBe(true);
    expect(isGood(reportOf(0, outcomes.slice(1), []))).toBe(true);
  });
});

describe('shrinking', () => {
  it('leaves out what a failure does not need', async () => {
    const faults = { loss: 4, crash: 2, delay: 9 };
    const run = async (seed: number, { without = [], requests = 20, durationMs = 5_000 }: SimulationOptions) => {
      const isFailing = !without.includes('crash') && requests >= 5 && durationMs >= 900;
      return outcome(seed, { requests, virtualMs: durationMs, ...(isFailing ? { violation } : {}) });
    };
    const failed = outcome(3, { requests: 20, virtualMs: 5_000, faults, violation });
    const { options } = await shrink(3, { replicas: 4 }, failed, run);
    expect(options).toMatchObject({ replicas: 4, requests: 5 });
    expect(options.without).toEqual(expect.arrayContaining(['loss', 'delay']));
    expect(options.without).not.toContain('crash');
    expect(options.durationMs).toBeGreaterThanOrEqual(900);
    expect(options.durationMs).toBeLessThan(3_000);
  });

  it('does not take another failure for the same', async () => {
    const failed = outcome(3, { violation, faults: { loss: 1 } });
    const run = async () => outcome(3, { violation: { checker: 'liveness', what: 'slow' } });
    expect((await shrink(3, {}, failed, run)).options).toEqual({});
  });

  it('prints the command that shows it again', () => {
    const command = commandFor(3, {
      replicas: 4,
      requests: 5,
      durationMs: 900,
      without: ['loss', 'delay'],
      realSignatures: false,
    });
    expect(command).toBe(
      'npx quorate simulate --seed 3 --replicas 4 --requests 5 --duration 900 --without loss,delay --modelled-signatures --trace',
    );
  });
});

describe('the command', () => {
  const simulate = async (...args: readonly string[]) => {
    let out = '';
    let err = '';
    const code = await runCli(['simulate', ...args], {
      environment: {},
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
      hasColors: false,
      terminals: { stdout: false, stderr: false },
      unread: new AbortController().signal,
      interrupted: () => new AbortController().signal,
      readStdin: async () => '',
      exitCode: 0,
    });
    return { code, out, err };
  };

  it.each([
    [['--without', 'bad-weather'], 'there is no such kind of fault'],
    [['--seeds', '0'], 'a whole number from 1 on'],
    [['--seed', 'x'], 'a whole number'],
    [['--replicas', '3'], 'from 4 on to 64'],
  ])('refuses %j', async (args, text) => {
    const { code, err } = await simulate(...args);
    expect(code).toBe(2);
    expect(err).toContain(text);
  });

  it('prints what happened when it is asked to, then the report', async () => {
    const { code, out } = await simulate('--seed', '5', '--replicas', '4', '--requests', '3', '--trace');
    expect(code).toBe(0);
    expect(out).toMatch(/replica-\d → replica-\d {2}pre-prepare \d+\/\d+ [0-9a-f]{8} by \d/);
    expect(out).toContain('seeds 5 to 5: no violation');
  });
});
