import { faultsTolerated, quorumSize, replicasMax, replicasMin } from './quorum.js';
import { invariant } from './invariant.js';
import type { ReplicaIndex } from './types.js';

/** Limits that every replica of a cluster must share, else one would refuse what another proposes. */
export const limits = {
  /** Operations in one batch. */
  batchOperationsMax: 1024,
  /** Distinct clients in one batch: so many join the client table with it at most. */
  batchClientsMax: 64,
  /** Bytes of one batch's bundles together. */
  batchBytesMax: 1024 * 1024,
  /** Operations in one bundle. */
  bundleOperationsMax: 512,
  /** Bytes of one bundle. */
  bundleBytesMax: 512 * 1024,
  /** Bytes of one operation. */
  operationBytesMax: 64 * 1024,
  /** Bytes of one result. */
  resultBytesMax: 64 * 1024,
  /** Executed requests remembered for each client: its window of outstanding timestamps (rule 12). */
  clientWindow: 16_384,
  /** Bytes of results remembered for each client, and for all of them together; each counts this much more. */
  replyOverheadBytes: 512,
  clientResultBytesMax: 16 * 1024 * 1024,
  replyCacheBytesMax: 256 * 1024 * 1024,
  /**
   * Clients remembered; beyond it the one that executed least recently leaves, once `bundleLifetime` has passed. Hence there
   * are never more than `bundleLifetime` × `batchClientsMax` = 262,144.
   */
  clientsMax: 65_536,
  /** A bundle may be ordered at most this many sequence numbers after those that are executed when it comes. */
  bundleLifetime: 4096,
  /** A gateway asks for so many fewer, since replicas may be behind what it has heard of the others. */
  bundleLifetimeMargin: 1024,
  /** How far a batch's time may lie from a backup's clock, milliseconds (rule 11). */
  clockToleranceMs: 60_000,
  /** Bundles, and bytes of them, that wait at a replica to be ordered. */
  waitingBundlesMax: 4096,
  waitingBytesMax: 32 * 1024 * 1024,
} as const;

export interface ConfigurationOptions {
  readonly n: number;
  readonly self: ReplicaIndex;
  /** K: a checkpoint every so many sequence numbers (paper §4.3). */
  readonly checkpointInterval: number;
  /** L: how far the high water mark lies above the low one, in sequence numbers. */
  readonly logSize: number;
  /** Operations in one batch that this replica proposes as primary; at most `limits.batchOperationsMax`. */
  readonly batchSize: number;
  /** Instances that this replica as primary keeps under way at once. */
  readonly instancesInFlightMax: number;
  /** With so many under way a batch waits until it is full, which gains more than waiting loses; without it none waits. */
  readonly unfilledInFlightMax?: number;
  /** After this many ticks without progress a replica sends its votes again; doubles up to 32-fold. */
  readonly resendTicks: number;
  /** A request that is known and not executed for so many ticks without progress makes a backup suspect the primary. */
  readonly requestTimeoutTicks: number;
  /** How long a new primary has, once q replicas ask for its view; doubles with each view that fails (rule 19). */
  readonly viewChangeTimeoutTicks: number;
}

/** The numbers of one membership, and what follows from them. */
export class Configuration {
  readonly n: number;
  readonly f: number;
  readonly q: number;
  readonly self: ReplicaIndex;

  constructor(readonly options: ConfigurationOptions) {
    const { n, self } = options;
    invariant(Number.isInteger(n) && n >= replicasMin && n <= replicasMax, `n = ${n} is not in 4 … ${replicasMax}`);
    invariant(self >= 0 && self < n, `replica ${self} is not one of ${n}`);
    invariant(options.batchSize >= 1 && options.batchSize <= limits.batchOperationsMax, 'batch size out of bounds');
    invariant(options.instancesInFlightMax >= 1, 'no instance may be in flight');
    invariant(options.instancesInFlightMax <= options.logSize, 'more instances in flight than the log holds');
    this.n = n;
    this.f = faultsTolerated(n);
    this.q = quorumSize(n);
    this.self = self;
  }
}
