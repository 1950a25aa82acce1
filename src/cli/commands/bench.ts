import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { DEFINITIONS } from '../../config/setting-definitions.js';
import { print, settingsFrom, UsageError, type Context, type SettingOptions } from '../context.js';

interface Options extends SettingOptions {
  readonly only?: string;
  readonly quick?: true;
  readonly runs?: string;
  readonly seconds?: string;
  readonly warmup?: string;
  readonly outstanding: string;
  readonly appendfsync: string;
  readonly set: readonly string[];
  readonly cpuProf?: string;
  readonly svg?: string;
  readonly json?: true;
}

/** What bench/index.mjs takes; it is no part of the build, since nothing but this command needs it. */
interface BenchOptions {
  readonly only: readonly string[];
  readonly quick: boolean;
  readonly runs: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly outstanding: number;
  readonly appendfsync: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly cpuProf: string | undefined;
  readonly cacheDir: string;
}

interface Report {
  readonly sections: readonly { readonly curve?: unknown; readonly error?: string }[];
}

interface Bench {
  readonly workloadNames: readonly string[];
  readonly bench: (options: BenchOptions, report: (line: string) => void) => Promise<Report>;
  readonly textOf: (report: Report) => string;
  readonly curveSvg: (curve: unknown) => string;
}

const FULL = { runs: '5', seconds: '5', warmup: '2' };
const QUICK = { runs: '3', seconds: '1.5', warmup: '0.7' };

export function addBench(program: Command, context: Context): void {
  program
    .command('bench')
    .description('how fast it is on this machine, beside what bounds it, measured in turn')
    .option('--only <names>', 'workloads, with commas between them; else all')
    .option('--quick', 'shorter runs, fewer of them')
    .option('--runs <count>', `of each figure, which is their median (else ${FULL.runs}; ${QUICK.runs} when quick)`)
    .option('--seconds <count>', `of each run (else ${FULL.seconds}; ${QUICK.seconds} when quick)`)
    .option('--warmup <count>', `seconds before each run that do not count (else ${FULL.warmup}; ${QUICK.warmup})`)
    .option('--outstanding <count>', 'requests outstanding where the engine is to be saturated', '1600')
    .addOption(
      new Option('--appendfsync <policy>', "Redis's, where it is not what is compared")
        .choices(['always', 'everysec', 'no'])
        .default('always'),
    )
    .option('--set <NAME=VALUE>', 'a setting of the replicas; may be repeated', collect, [])
    .option('--cpu-prof <folder>', 'after the runs, a profile of each process under the same load')
    .option('--svg <file>', 'where to draw the curve of throughput and latency')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
What is compared runs in turn, in the same run, on a Redis that is started for it; all of it is gone at the end.
Exits with 1 when something could not be measured.

Examples:
  $ quorate bench --quick
  $ quorate bench --only unloaded,saturation --appendfsync no --json
  $ quorate bench --only saturation --cpu-prof profiles`,
    )
    .action(async (options: Options) => {
      await run(context, options);
    });
}

async function run(context: Context, options: Options): Promise<void> {
  const asked = benchOptions(context, options);
  const { href } = new URL('../../../bench/index.mjs', import.meta.url);
  const { bench, workloadNames, textOf, curveSvg } = (await import(href)) as Bench;
  const unknown = asked.only.find((name) => !workloadNames.includes(name));
  if (unknown !== undefined) throw new UsageError(`--only: there is no ${unknown}, but ${workloadNames.join(', ')}`);
  const report = await bench(asked, (line) => context.stderr.write(`${line}\n`));
  const curve = report.sections.find((section) => section.curve !== undefined)?.curve;
  if (options.svg !== undefined && curve !== undefined) await writeFile(options.svg, curveSvg(curve));
  if (report.sections.some(({ error }) => error !== undefined)) context.exitCode = 1;
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : textOf(report));
}

/** @throws {UsageError} */
function benchOptions(context: Context, options: Options): BenchOptions {
  const byDefault = options.quick === true ? QUICK : FULL;
  const settings = Object.fromEntries(options.set.map(assignment));
  return {
    only: options.only?.split(',') ?? [],
    quick: options.quick === true,
    runs: positive('--runs', options.runs ?? byDefault.runs, 'whole'),
    warmupMs: positive('--warmup', options.warmup ?? byDefault.warmup) * 1000,
    durationMs: positive('--seconds', options.seconds ?? byDefault.seconds) * 1000,
    outstanding: positive('--outstanding', options.outstanding, 'whole'),
    appendfsync: options.appendfsync,
    settings,
    cpuProf: options.cpuProf === undefined ? undefined : resolve(options.cpuProf),
    cacheDir: settingsFrom(context, options, settings).cacheDir,
  };
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function assignment(text: string): [string, string] {
  const [name = '', ...rest] = text.split('=');
  if (name in DEFINITIONS && rest.length > 0) return [name, rest.join('=')];
  throw new UsageError(`--set is ${JSON.stringify(text)}; it should be NAME=VALUE, with the name of a setting`);
}

/** @throws {UsageError} */
function positive(flag: string, text: string, kind: 'whole' | 'any' = 'any'): number {
  const pattern = kind === 'whole' ? /^\d{1,9}$/ : /^\d{1,9}(\.\d{1,9})?$/;
  const value = pattern.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new UsageError(
    `${flag} is ${JSON.stringify(text)}; it should be a ${kind === 'whole' ? 'whole ' : ''}number above 0`,
  );
}
