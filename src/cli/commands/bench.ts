import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
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

interface Bench {
  readonly workloadNames: readonly string[];
  readonly bench: (options: BenchOptions, report: (line: string) => void) => Promise<unknown>;
  readonly textOf: (report: unknown) => string;
}

const FULL = { runs: '5', seconds: '5', warmup: '3' };
const QUICK = { runs: '3', seconds: '2', warmup: '1' };

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
    .option('--json', 'print the report as JSON')
    .action(async (options: Options) => {
      await run(context, options);
    });
}

async function run(context: Context, options: Options): Promise<void> {
  const { href } = new URL('../../../bench/index.mjs', import.meta.url);
  const { bench, workloadNames, textOf } = (await import(href)) as Bench;
  const only = options.only?.split(',') ?? [];
  const unknown = only.find((name) => !workloadNames.includes(name));
  if (unknown !== undefined) throw new UsageError(`--only: there is no ${unknown}, but ${workloadNames.join(', ')}`);
  const byDefault = options.quick === true ? QUICK : FULL;
  const report = await bench(
    {
      only,
      quick: options.quick === true,
      runs: positive('--runs', options.runs ?? byDefault.runs),
      warmupMs: positive('--warmup', options.warmup ?? byDefault.warmup) * 1000,
      durationMs: positive('--seconds', options.seconds ?? byDefault.seconds) * 1000,
      outstanding: positive('--outstanding', options.outstanding),
      appendfsync: options.appendfsync,
      settings: Object.fromEntries(options.set.map(assignment)),
      cpuProf: options.cpuProf === undefined ? undefined : resolve(options.cpuProf),
      cacheDir: settingsFrom(context, options).cacheDir,
    },
    (line) => context.stderr.write(`${line}\n`),
  );
  print(context, options.json === true ? JSON.stringify(report, undefined, 2) : textOf(report));
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function assignment(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--set is ${JSON.stringify(text)}; it should be NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** @throws {UsageError} */
function positive(flag: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new UsageError(`${flag} is ${JSON.stringify(text)}; it should be a number above 0`);
}
