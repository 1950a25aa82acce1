import { Random } from '../support/seeds.js';
import { momentsPerTick, profileOf } from './profile.js';
import type { MakeReplica } from './simulated-replica.js';
import { World, type Outcome } from './world.js';

/** Ticks without faults within which everything that a correct replica knows must be executed. */
const calmTicksMax = 6000;
/** Ticks that a cluster is given which has lost more memories than it bears: nothing wrong must happen in them, either. */
const exemptTicksMax = 200;

/** A run in which something happened that must not happen, with all that is needed to see it again. */
class SimulationFailure extends Error {}

/**
 * One run: faults for a while, then calm, until every request is executed that a correct replica knows of.
 * @throws {SimulationFailure} when something happens that must never happen, or nothing happens any more
 */
export function simulate(seed: number, makeReplica?: MakeReplica): Outcome {
  const random = new Random(seed);
  const world = new World(profileOf(random), random, makeReplica);
  try {
    while (world.schedule.now < world.profile.duration) world.pass();
    world.calm();
    if (world.bundles.length === 0) world.submit();
    const calmSince = world.ticks;
    for (let isFinished = false; !isFinished;) {
      for (let moment = 0; moment < 5 * momentsPerTick; moment++) world.pass();
      const { unfinished } = world;
      const ticks = world.ticks - calmSince;
      isFinished = unfinished.length === 0 || (world.isExempt && ticks > exemptTicksMax);
      if (!isFinished && ticks > calmTicksMax) throw new Error(`never finished: ${unfinished.slice(0, 4).join(', ')}`);
    }
    return world.outcome(calmSince);
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    throw new SimulationFailure(`${cause.message}\n${world.describe()}`, { cause });
  }
}
