import { faultKinds } from './fault-kinds.js';
import type { SimulationOptions } from './profile.js';
import { simulate, type Outcome } from './simulate.js';

/** Runs that shrinking may take. */
const attemptsMax = 120;

/** A smaller case that still fails in the same way. */
export interface Shrunk {
  readonly options: SimulationOptions;
  readonly outcome: Outcome;
}

/**
 * Makes a failing run smaller: without kinds of fault that it does not need, with fewer requests, in a shorter time, as long
 * as the same checker still objects.
 */
export async function shrink(
  seed: number,
  options: SimulationOptions,
  failed: Outcome,
  run: (seed: number, options: SimulationOptions) => Promise<Outcome> = simulate,
): Promise<Shrunk> {
  let best: Shrunk = { options, outcome: failed };
  let attempts = 0;
  const attempt = async (candidate: SimulationOptions): Promise<boolean> => {
    if (attempts++ >= attemptsMax) return false;
    const outcome = await run(seed, candidate);
    if (outcome.violation?.checker !== failed.violation?.checker) return false;
    best = { options: candidate, outcome };
    return true;
  };
  for (const kind of faultKinds.filter((known) => failed.faults[known] !== undefined)) {
    await attempt({ ...best.options, without: [...(best.options.without ?? []), kind] });
  }
  for (let requests = Math.floor(failed.requests / 2); requests >= 1; requests = Math.floor(requests / 2)) {
    if (!(await attempt({ ...best.options, requests }))) break;
  }
  for (
    let durationMs = Math.round(failed.virtualMs * 0.6);
    durationMs >= 100;
    durationMs = Math.round(durationMs * 0.7)
  ) {
    if (!(await attempt({ ...best.options, durationMs }))) break;
  }
  return best;
}

/** The command that runs a case again. */
export function commandFor(
  seed: number,
  { replicas, requests, durationMs, without, realSignatures }: SimulationOptions,
): string {
  const words = ['npx quorate simulate', `--seed ${seed}`];
  if (replicas !== undefined) words.push(`--replicas ${replicas}`);
  if (requests !== undefined) words.push(`--requests ${requests}`);
  if (durationMs !== undefined) words.push(`--duration ${durationMs}`);
  if (without !== undefined && without.length > 0) words.push(`--without ${without.join(',')}`);
  if (realSignatures !== undefined) words.push(realSignatures ? '--real-signatures' : '--modelled-signatures');
  return [...words, '--trace'].join(' ');
}
