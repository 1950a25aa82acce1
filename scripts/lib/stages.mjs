import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { run } from './processes.mjs';
import { tool } from './tools.mjs';

/** A stage found something: it has said what. */
export class StageFailed extends Error {}

const CACHE = 'node_modules/.cache/quorate';

/** Static checks that run at once, each on one core. */
const CHECKS_MAX = Math.min(2, availableParallelism());

async function node(...args) {
  const { code } = await run(process.execPath, args);
  return code === 0;
}

/** Everything that `npm test` does: first the static checks, of which the longest begins first, then the tests. */
const STAGES = [
  {
    name: 'lint',
    title: 'Lint',
    commands: () => [[tool('eslint'), '--cache', `--cache-location=${CACHE}/eslint/`, '--max-warnings=0', '.']],
  },
  {
    name: 'format',
    title: 'Format',
    commands: () => [[tool('prettier'), '--check', '--cache', '--log-level=warn', '.']],
  },
  { name: 'types', title: 'Types', commands: types },
  {
    name: 'imports',
    title: 'Who imports whom',
    commands: () => [[tool('dependency-cruiser', 'depcruise'), 'src', 'bin', '--config']],
  },
  {
    name: 'reference',
    title: 'API reference',
    commands: () => [[tool('typedoc'), '--emit', 'none', '--logLevel', 'Warn']],
  },
  { name: 'dead-code', title: 'Dead code', commands: () => [[tool('knip')]] },
  ...['unit', 'paper', 'scenarios', 'controls'].map((name) => ({ name, specs: `test/${name}` })),
  { name: 'simulation', specs: 'test/simulation', needsBuild: true },
  ...['conformance', 'integration', 'e2e'].map((name) => ({
    name,
    specs: `test/${name}`,
    needsBuild: true,
    needsRedis: true,
  })),
];

function types() {
  const compiler = tool('typescript', 'tsc');
  const incremental = ['--incremental', '--tsBuildInfoFile', `${CACHE}/types.tsbuildinfo`];
  return [
    [compiler, '-p', 'tsconfig.json', ...incremental],
    [compiler, '-p', 'src/pbft/tsconfig.json'],
  ];
}

/** The stages with these names, all without any. Throws when there is no such stage. */
export function stagesNamed(names) {
  const unknown = names.find((name) => !STAGES.some((stage) => stage.name === name));
  if (unknown !== undefined) {
    throw new Error(`there is no stage ${unknown}: there are ${STAGES.map(({ name }) => name).join(', ')}`);
  }
  return names.length === 0 ? STAGES : STAGES.filter(({ name }) => names.includes(name));
}

/** Runs stages, each with its title and time, up to the first that fails. */
export async function runStages(stages) {
  const started = performance.now();
  await runChecks(stages.filter(({ commands }) => commands !== undefined));
  for (const stage of merged(stages)) {
    process.stdout.write(`\n== ${stage.title}\n`);
    const begun = performance.now();
    if (!(await stage.run())) throw new StageFailed(`npm test: ${stage.title} failed after ${seconds(begun)}`);
    process.stdout.write(`== ${stage.title}: passed, ${seconds(begun)}\n`);
  }
  process.stdout.write(`\nAll passed, ${seconds(started)}\n`);
}

/** Runs static checks, some at once, and shows what each has to say once it has ended. All are heard before any fails. */
async function runChecks(checks) {
  const waiting = [...checks];
  const failed = [];
  const lane = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const begun = performance.now();
      const { code, output } = await runCommands(check.commands());
      process.stdout.write(`\n== ${check.title}\n${output}`);
      process.stdout.write(`== ${check.title}: ${code === 0 ? 'passed' : 'failed'}, ${seconds(begun)}\n`);
      if (code !== 0) failed.push(check.title);
    }
  };
  await Promise.all(Array.from({ length: CHECKS_MAX }, lane));
  if (failed.length > 0) throw new StageFailed(`npm test: failed: ${failed.join(', ')}`);
}

/** One after the other, up to the first that fails. */
async function runCommands(commands) {
  let all = '';
  for (const args of commands) {
    const { code, output } = await run(process.execPath, args, { quiet: true });
    all += output;
    if (code !== 0) return { code, output: all };
  }
  return { code: 0, output: all };
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** One run of jest for all specs that need no Redis, and one for those that do: starting jest takes longer than most specs. */
function merged(stages) {
  const specs = stages.filter((stage) => stage.specs !== undefined && hasSpecs(stage.specs));
  const pure = specs.filter(({ needsRedis }) => needsRedis !== true);
  const redis = specs.filter(({ needsRedis }) => needsRedis === true);
  return [
    ...(pure.length === 0 ? [] : [jestStage(pure)]),
    ...(redis.length === 0 ? [] : [jestStage(redis, announceRedis)]),
  ];
}

function hasSpecs(folder) {
  return existsSync(folder) && readdirSync(folder, { recursive: true }).some((file) => file.endsWith('.spec.ts'));
}

const JEST_OPTIONS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

function jestStage(stages, before = async () => true) {
  const folders = stages.map(({ specs }) => `${specs}/`);
  return {
    title: `Tests: ${stages.map(({ name }) => name).join(', ')}`,
    run: async () => (await before()) && (await node(...JEST_OPTIONS, tool('jest'), ...folders)),
  };
}

/** Says which Redis the tests use. Without a Docker engine it is the one that `npm start` would start, where that is allowed. */
async function announceRedis() {
  const { dockerEngineVersion } = await import('../../dist/cluster/docker-engine.js');
  const engine = await dockerEngineVersion();
  if (engine !== undefined) {
    process.stdout.write(`A Docker engine answers (${engine}): these tests use Redis from Testcontainers.\n`);
    return true;
  }
  if (process.env.QUORATE_REQUIRE_DOCKER === '1') {
    process.stdout.write('No Docker engine answers, and QUORATE_REQUIRE_DOCKER=1 says that one must.\n');
    return false;
  }
  process.stdout.write('No Docker engine answers: these tests use the same real Redis that `npm start` does.\n');
  return true;
}
