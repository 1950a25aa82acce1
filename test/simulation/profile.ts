import type { ConfigurationOptions } from '../../src/pbft/configuration.js';

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
