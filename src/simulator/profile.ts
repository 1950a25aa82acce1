import { faultKinds, type FaultKind } from './fault-kinds.js';
import { Random } from './random.js';
import { faultsTolerated } from '../pbft/quorum.js';

/** What one run is like. Drawn from the seed; options narrow it, and never change what else is drawn. */
export interface Profile {
  readonly seed: number;
  readonly n: number;
  readonly checkpointInterval: number;
  readonly logSize: number;
  readonly batchSize: number;
  readonly instancesInFlightMax: number;
  readonly unfilledInFlightMax: number;
  readonly requestTimeoutTicks: number;
  readonly viewChangeTimeoutTicks: number;
  readonly resendTicks: number;
  /** The log has a Redis of its own. */
  readonly isSplit: boolean;
  readonly hasRealSignatures: boolean;
  /** How long faults last, virtual milliseconds. */
  readonly durationMs: number;
  readonly requests: number;
  readonly byzantine: readonly number[];
  /** The kinds of fault that may happen. */
  readonly faults: ReadonlySet<FaultKind>;
  /** How often what happens of itself does: 1 is about once a second for each kind. */
  readonly intensity: number;
  /** Redis brings everybody their own words, too, as it really does; most runs spare the time. */
  readonly hasEcho: boolean;
  /** More replicas may lose data than the cluster bears: nothing wrong may happen, but nobody promises progress. */
  readonly isOverwhelmed: boolean;
}

/** What the command line may set. */
export interface SimulationOptions {
  readonly replicas?: number | undefined;
  readonly requests?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly without?: readonly FaultKind[] | undefined;
  readonly realSignatures?: boolean | undefined;
}

/** In so many of the runs more may lose their data than the cluster bears. */
const overwhelmedShares = { atTheLimit: 0.4, else: 0.06 };
/** One seed in so many runs with real Ed25519 signatures, … */
const realSignaturesEvery = 50;
/** … and with at most so many requests: a signature costs a hundred times as much as its model. */
const realRequestsMax = 6;

export function profileOf(seed: number, options: SimulationOptions = {}): Profile {
  const random = Random.stream(seed, 'profile');
  const drawnN = random.pick([4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 7, 7, 10]);
  const n = options.replicas ?? drawnN;
  const checkpointInterval = random.pick([2, 4, 4, 8]);
  const logSize = checkpointInterval * random.pick([2, 2, 3, 4]);
  const requestTimeoutTicks = random.between(4, 10);
  const without = new Set(options.without);
  const density = random.pick([0.15, 0.3, 0.5, 0.8]);
  // Each from a stream of its own: a new kind changes nothing of what the seed draws besides.
  const faults = new Set(faultKinds.filter((kind) => Random.stream(seed, kind).chance(density)));
  for (const kind of without) faults.delete(kind);
  const drawn = {
    batchSize: random.pick([1, 2, 4, 16]),
    instancesInFlightMax: random.between(1, logSize),
    unfilledInFlightMax: random.between(1, 4),
    viewChangeTimeoutTicks: requestTimeoutTicks + random.between(0, 8),
    resendTicks: random.between(3, 8),
    isSplit: random.chance(0.3),
    durationMs: random.between(1_000, 4_000),
    requests: random.between(4, 16),
    intensity: random.pick([0.3, 0.6, 1, 2]),
    hasEcho: random.chance(0.1),
  };
  const liars = random.pick([0, 0, 1, 1, 2, 3]);
  const byzantine = random
    .shuffled(Array.from({ length: n }, (_, index) => index))
    .slice(0, Math.min(liars, faultsTolerated(n)));
  // Where all that the cluster bears are Byzantine, no log may be lost besides but in such a run.
  const isOverwhelmed = random.chance(
    byzantine.length === faultsTolerated(n) ? overwhelmedShares.atTheLimit : overwhelmedShares.else,
  );
  const hasRealSignatures = options.realSignatures ?? seed % realSignaturesEvery === 0;
  const requestsMax = options.requests ?? (hasRealSignatures ? realRequestsMax : Infinity);
  return {
    ...drawn,
    seed,
    n,
    checkpointInterval,
    logSize,
    requestTimeoutTicks,
    hasRealSignatures,
    durationMs: Math.min(drawn.durationMs, options.durationMs ?? Infinity),
    requests: Math.min(drawn.requests, requestsMax),
    byzantine,
    isOverwhelmed,
    faults,
  };
}
