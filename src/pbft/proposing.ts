import { limits } from './configuration.js';
import type { Core } from './core.js';
import { invariant } from './invariant.js';
import type { PrePrepare } from './messages.js';
import { onPhaseMessage, timeBefore } from './normal-case.js';
import { sequence, type SequenceNumber } from './types.js';

/**
 * The primary's part (paper §4.2): while an instance may start, it orders whatever waits. An idle cluster hence waits
 * for nothing, and under load batches fill by themselves while earlier instances are under way.
 */
export function propose(core: Core): void {
  if (!core.isPrimary || !core.isVoting) return;
  const { instancesInFlightMax, batchSize, unfilledInFlightMax = instancesInFlightMax } = core.configuration.options;
  while (core.requests.waitingCount > 0) {
    const place = sequence(Math.max(core.lastProposed, core.lastExecuted, core.settled) + 1);
    const inFlight = place - 1 - core.lastExecuted;
    if (inFlight >= instancesInFlightMax || place > core.highWaterMark) return;
    if (inFlight >= unfilledInFlightMax && core.requests.waitingOperations < batchSize) return;
    if (lacksBatch(core, place)) return;
    if (core.promises.hasSpokenLater(core.view, place)) return; // our log was set back: the others are further, or will change the view
    const time = Math.max(core.now, timeBefore(core, place));
    if (time > core.now + limits.clockToleranceMs) return; // our clock is so far behind that no backup would prepare
    const bundles = core.requests.take(place, batchSize);
    if (bundles.length === 0) return;
    core.lastProposed = place;
    const content = { view: core.view, time, bundles };
    const digest = core.environment.digestOfBatch(content);
    const message: PrePrepare = {
      kind: 'pre-prepare',
      view: core.view,
      sequence: place,
      digest,
      replica: core.self,
      batch: { ...content, digest },
    };
    onPhaseMessage(core, message); // the primary accepts its own proposal by the same rules as the backups
    invariant(core.log.get(place)?.prePrepare === message, 'a primary refused its own proposal');
    core.emit({ kind: 'broadcast', message });
  }
}

/** Whether the view orders a batch below `place` that we do not have yet: what is in it would be ordered twice. */
function lacksBatch(core: Core, place: SequenceNumber): boolean {
  for (let below = core.lastExecuted + 1; below < place; below++) {
    const prePrepare = core.log.get(sequence(below))?.prePrepare;
    if (prePrepare !== undefined && prePrepare.batch === undefined) return true;
  }
  return false;
}
