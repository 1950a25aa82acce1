import { existsSync, readdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { run } from './processes.mjs';
import { tool } from './tools.mjs';

/** A stage found something: it has said what. */
export class StageFailed extends Error {}

const CACHE = 'node_modules/.cache/quorate';

function command(packageName, args, name) {
  return async () => await node(tool(packageName, name), ...args);
}

async function node(...args) {
  const { code } = await run(process.execPath, args);
  return code === 0;
}

/** Everything that `npm test` does, in order: what ends soon comes first. */
const STAGES = [
  { name: 'format', title: 'Format', run: command('prettier', ['--check', '--cache', '--log-level=warn', '.']) },
  {
    name: 'lint',
    title: 'Lint',
    run: command('eslint', ['--cache', `--cache-location=${CACHE}/eslint/`, '--max-warnings=0', '.']),
  },
  { name: 'types', title: 'Types', run: types },
  {
    name: 'imports',
    title: 'Who imports whom',
    run: command('dependency-cruiser', ['src', 'bin', '--config'], 'depcruise'),
  },
  { name: 'dead-code', title: 'Dead code', run: command('knip', []) },
  ...['unit', 'paper', 'scenarios', 'controls'].map((name) => ({ name, specs: `test/${name}` })),
  { name: 'simulation', specs: 'test/simulation', needsBuild: true },
  ...['conformance', 'integration', 'e2e'].map((name) => ({
    name,
    specs: `test/${name}`,
    needsBuild: true,
    needsRedis: true,
  })),
];

async function types() {
  const compiler = tool('typescript', 'tsc');
  const incremental = ['--incremental', '--tsBuildInfoFile', `${CACHE}/types.tsbuildinfo`];
  return (
    (await node(compiler, '-p', 'tsconfig.json', ...incremental)) &&
    (await node(compiler, '-p', 'src/pbft/tsconfig.json'))
  );
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
  for (const stage of merged(stages)) {
    process.stdout.write(`\n== ${stage.title}\n`);
    const begun = performance.now();
    if (!(await stage.run())) throw new StageFailed(`npm test: ${stage.title} failed after ${seconds(begun)}`);
    process.stdout.write(`== ${stage.title}: passed, ${seconds(begun)}\n`);
  }
  process.stdout.write(`\nAll passed, ${seconds(started)}\n`);
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
    ...stages.filter((stage) => stage.specs === undefined),
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
