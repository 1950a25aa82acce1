import type { ConfigurationOptions } from '../pbft/configuration.js';
import type { Witness } from './checkers/witness.js';
import type { Founders } from './founders.js';
import type { Signatures } from './modelled-signatures.js';
import type { Network } from './network.js';
import type { Random } from './random.js';
import type { Death, Latency } from './simulated-ports.js';
import type { SimulatedRedis } from './simulated-redis.js';
import type { SimulatedReplica } from './simulated-replica.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** What all replicas of a simulation share. */
export interface ClusterParts {
  readonly time: VirtualTime;
  readonly network: Network;
  readonly busRedis: SimulatedRedis;
  /** Equal to `busRedis` when one Redis serves for both. */
  readonly logRedis: SimulatedRedis;
  readonly founders: Founders;
  readonly signatures: Signatures;
  readonly configuration: Omit<ConfigurationOptions, 'self'>;
  readonly latency: Latency;
  readonly random: { readonly ticks: Random };
  readonly witness: Witness;
  /** Written only when somebody wants to read it. */
  readonly trace: Trace | undefined;
  /** A process has died at an effect where it was to die. */
  onDeath(replica: SimulatedReplica, death: Death): void;
  /** A process ends itself: an invariant is broken, or its log cannot be read. */
  onFailure(replica: SimulatedReplica, error: unknown): void;
  /** A process ends while it starts, since its log cannot be reached. */
  onUnreachable(replica: SimulatedReplica): void;
  onClientFailure(error: unknown): void;
  onTwin(replica: SimulatedReplica): void;
}
