import { setTimeout as sleep } from 'node:timers/promises';
import { profile } from './profiles.mjs';
import { processorUsPerRequest } from './processor-time.mjs';
import { figureOf, medianOf } from './statistics.mjs';

/** What is outstanding when a run ends is answered in this time, or the run has failed. */
const HALT_TIMEOUT_MS = 60_000;
/** So many times as long as before each run. */
const HEAT_WARMUPS = 3;

/**
 * One of several things that are measured in turn: a load (`start`, `mark`, `take`, `halt`, and `processorTime`), and what is
 * asked of it.
 *
 * @typedef {{ name: string, label: string, load: any, spec: object, heat?: object, backups?: number,
 *   during?: () => Promise<void>, gaps?: boolean }} Contender
 *   `heat` is a spec that makes it busy: where little is asked of it, its code would not be compiled before the runs;
 *   `during` happens to it while it is measured; `gaps` says that the time without any answer counts
 */

/** One run of one contender: warm-up, which does not count, then what does. */
async function run({ load, spec, during }, { warmupMs, durationMs }) {
  await load.ask('start', spec);
  await sleep(warmupMs);
  await load.ask('mark');
  const before = await load.processorTime();
  const over = sleep(durationMs);
  await during?.();
  await over;
  const after = await load.processorTime();
  const taken = await load.ask('take');
  await load.ask('halt', undefined, HALT_TIMEOUT_MS);
  return { ...taken, processorUs: processorUsPerRequest(before, after, Math.max(taken.answered, 1)) };
}

/**
 * Measures contenders in turn (A, B, A, B, …), so that what disturbs the machine for a while disturbs all of them.
 *
 * @param {Contender[]} contenders
 * @param {{ runs: number, warmupMs: number, durationMs: number, report: (line: string) => void,
 *   profiles?: { folder: string, label: string } }} method
 * @returns {Promise<Record<string, object>>} a row for each, by its name
 */
export async function inTurn(contenders, method) {
  await heatUp(contenders, method);
  const rows = await rowsOf(contenders, method, (contender) => run(contender, method));
  if (method.profiles !== undefined) {
    for (const contender of contenders) rows[contender.name].costs = await profileUnderLoad(contender, method);
  }
  return rows;
}

/**
 * The same for contenders that would disturb each other by merely being there: each is started for its turn, and ended after it.
 *
 * @param {(Omit<Contender, 'load'> & { open: (cleanUp: import('../processes/cleanup.mjs').CleanUp) => Promise<any> })[]} contenders
 * @param {import('../processes/cleanup.mjs').CleanUp} cleanUp
 */
export function alone(contenders, method, cleanUp) {
  return rowsOf(contenders, method, ({ open, ...contender }) =>
    cleanUp.within(async (inner) => {
      const started = { ...contender, load: await open(inner) };
      await heatUp([started], method);
      return run(started, method);
    }),
  );
}

/** All turns of all contenders, and what they come to. */
async function rowsOf(contenders, method, measure) {
  const taken = new Map(contenders.map(({ name }) => [name, []]));
  for (let turn = 1; turn <= method.runs; turn++) {
    for (const contender of contenders) {
      const result = await measure(contender);
      taken.get(contender.name).push(result);
      tell(method, contender, turn, result);
    }
  }
  return Object.fromEntries(
    contenders.map((contender) => [contender.name, rowOf(contender, taken.get(contender.name))]),
  );
}

function tell(method, { label }, turn, { p50Ms, p99Ms, perSecond }) {
  const latency = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`;
  method.report(`${label}, run ${turn}: ${perSecond.toFixed(0)}/s, ${latency}`);
}

/** Has each load work for a while before anything counts, so that its code is compiled: once, however many contenders use it. */
async function heatUp(contenders, { warmupMs, heats = true }) {
  if (!heats) return;
  const heated = new Set();
  for (const { load, spec, heat = spec } of contenders) {
    if (heated.has(load)) continue;
    heated.add(load);
    await load.ask('start', heat);
    await sleep(HEAT_WARMUPS * warmupMs);
    await load.ask('halt', undefined, HALT_TIMEOUT_MS);
  }
}

/** A run that counts for nothing: being profiled costs time. */
async function profileUnderLoad({ name, load, spec }, { warmupMs, durationMs, profiles: { folder, label } }) {
  if (load.processIds === undefined) return undefined;
  await load.ask('start', spec);
  await sleep(warmupMs);
  const costs = await profile(load, { folder, label: `${label}-${name}`, durationMs });
  await load.ask('halt', undefined, HALT_TIMEOUT_MS);
  return costs;
}

/** What several runs of one contender come to. */
function rowOf({ label, spec, backups = 3, gaps = false }, taken) {
  const names = ['perSecond', 'p50Ms', 'p99Ms', ...(gaps ? ['longestGapMs'] : [])];
  const figures = Object.fromEntries(names.map((name) => [name, figureOf(taken.map((result) => result[name]))]));
  const processorUs = medians(taken.map((result) => result.processorUs));
  const { backup = 0, ...others } = processorUs;
  const total = Object.values(others).reduce((sum, us) => sum + us, 0) + backup * backups;
  return { label, spec, ...figures, failed: sumOfFailed(taken), processorUs: { ...processorUs, total } };
}

function sumOfFailed(taken) {
  const sum = {};
  for (const [code, count] of taken.flatMap(({ failed }) => Object.entries(failed)))
    sum[code] = (sum[code] ?? 0) + count;
  return sum;
}

function medians(samples) {
  const names = Object.keys(samples[0]).filter((name) => samples.every((sample) => sample[name] !== undefined));
  return Object.fromEntries(names.map((name) => [name, medianOf(samples.map((sample) => sample[name]))]));
}
