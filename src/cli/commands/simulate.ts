import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { FaultKind } from '../../simulator/fault-kinds.js';
import type { SimulationOptions } from '../../simulator/profile.js';
import type { Outcome } from '../../simulator/simulate.js';
import { paint, print, UsageError, wholeNumber, type Context } from '../context.js';
import { Progress } from '../progress.js';

interface Options {
  readonly seed: string;
  readonly seeds: string;
  readonly replicas?: string;
  readonly requests?: string;
  readonly duration?: string;
  readonly without?: string;
  readonly realSignatures?: true;
  readonly modelledSignatures?: true;
  readonly jobs?: string;
  readonly trace?: true;
  readonly shrink: boolean;
  readonly json?: true;
}

/** Lines of the trace that are shown of a run that failed. */
const traceTail = 40;

export function addSimulate(program: Command, context: Context): void {
  program
    .command('simulate')
    .description('simulated clusters, each drawn from a seed, with all that can go wrong: is anything ever violated?')
    .option('--seed <seed>', 'the first seed', '1')
    .option('--seeds <count>', 'how many seeds, from the first on', '1')
    .option('--replicas <n>', 'always so many replicas; else drawn from the seed')
    .option('--requests <count>', 'at most so many requests a run')
    .option('--duration <ms>', 'faults for at most so many virtual milliseconds a run')
    .option('--without <kinds>', 'kinds of fault that are left out, with commas between them')
    .option('--real-signatures', 'Ed25519 in every run; else in one of fifty, and a model of it in the others')
    .option('--modelled-signatures', 'Ed25519 in no run')
    .option('--jobs <count>', 'threads; what is printed does not depend on it')
    .option('--trace', 'print every message and every fault')
    .option('--no-shrink', 'do not look for a smaller case when a run fails')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Exits 1 when anything was violated, or when a kind of fault never happened in 1,000 seeds or more.

Examples:
  $ quorate simulate --seeds 1000
  $ quorate simulate --seed 42 --trace`,
    )
    .action(async (options: Options) => {
      await run(context, options);
    });
}

async function run(context: Context, options: Options): Promise<void> {
  const [{ simulateMany }, { isGood, reportOf, textOf }] = await Promise.all([
    import('../../simulator/jobs.js'),
    import('../../simulator/report.js'),
  ]);
  const first = wholeNumber('--seed', options.seed, 0);
  const count = wholeNumber('--seeds', options.seeds, 1);
  const simulation = await simulationOptions(options);
  if (options.trace === true) await showTrace(context, first, simulation);
  const jobs = options.jobs === undefined ? availableParallelism() : wholeNumber('--jobs', options.jobs, 1);
  const progress = new Progress(context, 'seeds', count);
  const outcomes = await simulateMany(first, count, simulation, count === 1 ? 1 : jobs, (done) => progress.show(done));
  progress.clear();
  const report = reportOf(first, outcomes, simulation.without ?? []);
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : textOf(report));
  const failed = outcomes.find(({ violation }) => violation !== undefined);
  if (failed !== undefined) await explain(context, failed, simulation, options.shrink);
  context.exitCode = isGood(report) ? 0 : 1;
}

async function showTrace(context: Context, seed: number, options: SimulationOptions): Promise<void> {
  const { simulate } = await import('../../simulator/simulate.js');
  await simulate(seed, options, (line) => {
    print(context, line);
  });
}

/** Seed, checker, the end of the trace, the command that shows it again, and a smaller case. On standard error. */
async function explain(
  context: Context,
  failed: Outcome,
  options: SimulationOptions,
  isShrunk: boolean,
): Promise<void> {
  const [{ simulate }, { commandFor, shrink }] = await Promise.all([
    import('../../simulator/simulate.js'),
    import('../../simulator/shrink.js'),
  ]);
  const { seed, violation } = failed;
  const lines: string[] = [];
  await simulate(seed, options, (line) => lines.push(line));
  const text = [
    ...lines.slice(-traceTail),
    '',
    `${paint(context, 'red', `seed ${seed}: ${violation?.checker ?? ''}`)}: ${violation?.what ?? ''}`,
    `to see it again: ${commandFor(seed, options)}`,
  ];
  context.stderr.write(`${text.join('\n')}\n`);
  if (!isShrunk) return;
  const smaller = await shrink(seed, options, failed);
  context.stderr.write(`a smaller case:  ${commandFor(seed, smaller.options)}\n`);
}

async function simulationOptions(options: Options): Promise<SimulationOptions> {
  const { replicas, requests, duration, realSignatures, modelledSignatures } = options;
  return {
    replicas: replicas === undefined ? undefined : wholeNumber('--replicas', replicas, 4, 64),
    requests: requests === undefined ? undefined : wholeNumber('--requests', requests, 0),
    durationMs: duration === undefined ? undefined : wholeNumber('--duration', duration, 0),
    without: await kindsIn(options.without ?? ''),
    realSignatures: realSignatures === true ? true : modelledSignatures === true ? false : undefined,
  };
}

async function kindsIn(list: string): Promise<readonly FaultKind[]> {
  const { faultKinds, isFaultKind } = await import('../../simulator/fault-kinds.js');
  return list
    .split(',')
    .filter((kind) => kind !== '')
    .map((kind) => {
      if (isFaultKind(kind)) return kind;
      throw new UsageError(`--without ${kind}: there is no such kind of fault; there are ${faultKinds.join(', ')}`);
    });
}
