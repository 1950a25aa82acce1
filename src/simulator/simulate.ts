import type { Violation } from './checkers/violations.js';
import type { FaultKind } from './fault-kinds.js';
import type { SimulationOptions } from './profile.js';
import { Simulation } from './simulation.js';

/** What one run came to. Nothing in it differs between two runs of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly virtualMs: number;
  readonly steps: number;
  readonly messages: number;
  readonly viewChanges: number;
  readonly checkpoints: number;
  /** States that replicas took over from others, and that they found in their stores when they started. */
  readonly stateTransfers: number;
  readonly stateLoads: number;
  readonly restarts: number;
  readonly requests: number;
  readonly answered: number;
  /** How long the slowest request waited after the faults, in parts of what it may. */
  readonly slowest: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly violation: Violation | undefined;
}

/** Runs one seed. `onLine` is told what happens, a line for each message and each fault. */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
  onLine?: (line: string) => void,
): Promise<Outcome> {
  const simulation = new Simulation(seed, options, onLine);
  await simulation.run();
  const { cluster, tally, workload } = simulation;
  const { time, network, violations, witness } = cluster;
  return {
    seed,
    virtualMs: Math.round(time.now),
    steps: time.happened,
    messages: network.delivered,
    viewChanges: witness.speech.highestView,
    checkpoints: witness.speech.checkpointsSaid,
    stateTransfers: witness.transfers,
    stateLoads: witness.loads,
    restarts: simulation.restarts,
    requests: workload.submitted,
    answered: workload.answered,
    slowest: simulation.slowest,
    faults: Object.fromEntries(tally.counts),
    violation: violations.first,
  };
}
