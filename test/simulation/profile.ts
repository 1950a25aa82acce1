import type { ConfigurationOptions } from '../../src/pbft/configuration.js';
import { faultsTolerated } from '../../src/pbft/quorum.js';
import type { Random } from '../support/seeds.js';

/** What befalls a cluster in one run. Times are in moments, of which a tick has `momentsPerTick`. */
export interface Profile {
  readonly n: number;
  readonly byzantine: readonly number[];
  /** For how long faults happen. */
  readonly duration: number;
  /** Bundles that gateways send in that time. */
  readonly bundles: number;
  /** The probability that a message is lost, or delivered twice. */
  readonly loss: number;
  readonly duplication: number;
  /** A message takes so many moments at least, and at most. */
  readonly delayMin: number;
  readonly delayMax: number;
  /** The probability, in each moment, that a replica dies over what it does next. */
  readonly deaths: number;
  /** … that the replicas are cut apart; until another such moment heals them. */
  readonly partitions: number;
  /** … that a replica's log is lost, or set back to an earlier copy, and the replica restarted. */
  readonly lostLogs: number;
  /** … that the Byzantine replicas do something besides what correct ones do. */
  readonly mischief: number;
  /** The probability that a Byzantine replica tells a message to one of the others. */
  readonly candour: number;
  readonly options: Omit<ConfigurationOptions, 'n' | 'self'>;
}

export const momentsPerTick = 10;

/** A run's circumstances, as they follow from its seed: from quiet ones to all at once. */
export function profileOf(random: Random): Profile {
  const n = random.pick([4, 4, 4, 5, 6, 7, 7]);
  const byzantineCount = random.below(faultsTolerated(n) + 1);
  const everybody = Array.from({ length: n }, (_, replica) => replica);
  const checkpointInterval = random.pick([2, 4, 8]);
  return {
    n,
    byzantine: random.shuffled(everybody).slice(0, byzantineCount),
    duration: random.pick([300, 800, 2000]),
    bundles: random.pick([4, 12, 40]),
    loss: random.pick([0, 0.02, 0.1, 0.3]),
    duplication: random.pick([0, 0, 0.2]),
    delayMin: 1,
    delayMax: random.pick([2, 15, 60, 200]),
    deaths: random.pick([0, 0, 0.005, 0.02]),
    partitions: random.pick([0, 0, 0.005, 0.02]),
    lostLogs: random.pick([0, 0, 0, 0.004]),
    mischief: random.pick([0, 0.05, 0.3]),
    candour: random.pick([0, 0.5, 0.9, 1]),
    options: {
      checkpointInterval,
      logSize: checkpointInterval * random.pick([2, 3]),
      batchSize: random.pick([1, 2, 4]),
      instancesInFlightMax: random.pick([1, 2, 4]),
      resendTicks: random.pick([2, 4]),
      requestTimeoutTicks: random.pick([6, 10, 20]),
      viewChangeTimeoutTicks: random.pick([6, 10, 20]),
    },
  };
}
