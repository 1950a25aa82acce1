import { sequence as asSequence, view as asView } from '../../pbft/types.js';
import { digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../wire/phase.js';
import type { FaultKind } from '../fault-kinds.js';
import { epochMs } from '../simulated-replica.js';
import type { BundleKind } from './false-client.js';
import type { Action, Traitor } from './plot.js';

/** Proposals that no correct primary would make. */

/** How far a false time is off, milliseconds: further than any clock of a simulation. */
export const falseTimeMs = 3_600_000;
/** How far back a late proposal goes. */
const lateMost = 12;

interface Proposal {
  readonly bundles: readonly Buffer[];
  /** How far its time is off, milliseconds. */
  readonly offMs?: number;
  /** Whom it is told to, each of the others with this probability. */
  readonly reach: number;
  /** The next one, unless it is said. */
  readonly place?: number;
}

function isPrimary(traitor: Traitor): boolean {
  return traitor.plot.knowledge.highestView % traitor.n === traitor.index;
}

/** Proposes it in the latest view. */
function propose(traitor: Traitor, kind: FaultKind, { bundles, offMs = 0, reach, place }: Proposal): void {
  const { highestView, highestPlace } = traitor.plot.knowledge;
  traitor.did(kind);
  const { bytes } = proposal(traitor, highestView, place ?? highestPlace + 1, bundles, offMs);
  traitor.tell('pre-prepare', bytes, traitor.some(reach));
}

/** A PRE-PREPARE frame of its own. */
export function proposal(traitor: Traitor, view: number, place: number, bundles: readonly Buffer[], offMs = 0) {
  const time = epochMs + Math.floor(traitor.plot.parts.time.now) + offMs;
  const batch = encodeBatch(asView(view), time, bundles);
  const header = { view: asView(view), sequence: asSequence(place), digest: digestOfBatchBytes(batch) };
  return { header, bytes: traitor.sealer.seal('pre-prepare', encodePhaseBody(header), batch) };
}

/** In a view of which it is not the primary. */
function proposeAsBackup(traitor: Traitor): void {
  if (isPrimary(traitor)) return;
  propose(traitor, 'proposal-of-backup', { bundles: traitor.plot.bundlesFor('fresh'), reach: 0.8 });
}

/** What was ordered before is proposed once more. */
function proposeAgain(traitor: Traitor): void {
  const bundles = traitor.plot.knowledge.requests.slice(-8);
  if (bundles.length === 0 || !isPrimary(traitor)) return;
  propose(traitor, 'repeated-proposal', { bundles: [traitor.random.pick(bundles)], reach: 0.9 });
}

/** Bundles that may not be ordered. */
const proposeBad =
  (kind: FaultKind, what: BundleKind) =>
  (traitor: Traitor): void => {
    if (isPrimary(traitor)) propose(traitor, kind, { bundles: traitor.plot.bundlesFor(what), reach: 0.9 });
  };

/** A time that nobody's clock shows. */
function proposeAtFalseTime(traitor: Traitor): void {
  if (!isPrimary(traitor)) return;
  const offMs = traitor.random.pick([-falseTimeMs, falseTimeMs]);
  propose(traitor, 'false-time', { bundles: traitor.plot.bundlesFor('fresh'), offMs, reach: 0.9 });
}

/** Where the view has its order already, or which lies below a checkpoint that somebody has not heard of. */
function proposeLate(traitor: Traitor): void {
  const { highestPlace } = traitor.plot.knowledge;
  if (!isPrimary(traitor) || highestPlace === 0) return;
  const place = traitor.random.between(Math.max(1, highestPlace - lateMost), highestPlace);
  propose(traitor, 'late-proposal', { bundles: traitor.plot.bundlesFor('fresh'), reach: 0.8, place });
}

export const proposals: readonly Action[] = [
  { kind: 'proposal-of-backup', act: proposeAsBackup },
  { kind: 'repeated-proposal', act: proposeAgain },
  { kind: 'expired-proposal', act: proposeBad('expired-proposal', 'expired') },
  { kind: 'forged-proposal', act: proposeBad('forged-proposal', 'forged') },
  { kind: 'reversed-proposal', act: proposeBad('reversed-proposal', 'reversed') },
  { kind: 'false-time', act: proposeAtFalseTime },
  { kind: 'late-proposal', act: proposeLate },
];
