import { sha256 } from '../../crypto/digest.js';
import type { Digest } from '../../pbft/types.js';
import type { Channel } from '../../ports/bus.js';
import type { Sealer } from '../../wire/envelope.js';
import type { Frame } from '../../wire/frame.js';
import type { Kind } from '../../wire/kinds.js';
import type { FaultKind } from '../fault-kinds.js';
import type { Random } from '../random.js';
import type { Hashes } from '../simulated-redis.js';
import type { ClusterParts, SimulatedReplica } from '../simulated-replica.js';
import type { Tally } from '../tally.js';
import type { BundleKind } from './false-client.js';
import type { Knowledge } from './knowledge.js';

/** What one of the others is told instead of a frame; nothing at all when it is `undefined`. */
export type Version = (to: string) => Buffer | undefined;

/** What all Byzantine replicas of a run share. */
export interface Conspiracy {
  readonly parts: ClusterParts;
  readonly knowledge: Knowledge;
  readonly byzantine: readonly number[];
  readonly faults: ReadonlySet<FaultKind>;
  readonly random: Random;
  readonly tally: Tally;
  /** Bundles that nobody else has heard of: a Byzantine gateway is among them. */
  bundlesFor(kind: BundleKind): readonly Buffer[];
  /** Whoever runs Redis puts something into the logs of some of the others, which restart on that. @returns to how many */
  plant(change: (hashes: Hashes) => void): number;
  note(text: string): void;
}

/** A Byzantine replica, as what it does sees it. */
export interface Traitor {
  readonly plot: Conspiracy;
  readonly replica: SimulatedReplica;
  readonly index: number;
  readonly name: string;
  readonly n: number;
  readonly q: number;
  readonly random: Random;
  /** Signs with its key. */
  readonly sealer: Sealer;
  /** Signs with it, too, and pledges something else. */
  readonly rivalSealer: Sealer;
  /** Whether it keeps requests from itself. */
  isCensoring: boolean;
  isOn(kind: FaultKind): boolean;
  /** Counts something that it did. */
  did(kind: FaultKind): void;
  /** Tells some of the others, or all of them, something. */
  tell(kind: Kind, frame: Buffer, to?: readonly string[], channel?: Channel): void;
  /** Each of the others with this probability. */
  some(probability: number): readonly string[];
}

/** What a Byzantine replica makes of a frame that the replica in it wants to publish. */
export interface Reworking {
  readonly kind: FaultKind;
  /** How often it tries to. */
  readonly probability: number;
  /** `undefined`: it has nothing to make of this one. */
  readonly rework: (frame: Frame, traitor: Traitor) => Version | undefined;
}

/** What a Byzantine replica does now and then of itself. */
export interface Action {
  readonly kind: FaultKind;
  readonly act: (traitor: Traitor) => void;
}

/** Half of the others are told one thing, half another. */
export function divided(traitor: Traitor, one: Buffer | undefined, other: Buffer | undefined): Version {
  const half = new Set(traitor.some(0.5));
  return (to) => (half.has(to) ? other : one);
}

/** A digest of nothing. */
export function falseDigest(traitor: Traitor): Digest {
  return sha256(Buffer.from(`a lie ${traitor.random.below(2 ** 32)}`));
}

/** One byte of it is another one. */
export function scratched(bytes: Buffer, traitor: Traitor): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return copy;
  const place = traitor.random.below(copy.length);
  copy[place] = (copy[place] ?? 0) ^ (1 << traitor.random.below(8));
  return copy;
}
