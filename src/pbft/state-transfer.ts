import { sayCheckpoint, stabilise } from './checkpointing.js';
import type { Core } from './core.js';
import { executeReady } from './execution.js';
import type { InstalledState } from './inputs.js';
import { invariant } from './invariant.js';
import { advance } from './normal-case.js';
import type { Digest, SequenceNumber } from './types.js';

/**
 * Looks for a state to go on from, once a tick (paper §5.3.2, rules 25 and 26). f+1 who vouch for a checkpoint are enough to begin,
 * since one of them is correct; q may never be heard again. Whoever is only a little behind executes what it missed;
 * the state is fetched when that does not get on, or when the log between is certain to be gone.
 */
export function seekState(core: Core): void {
  const { f, options } = core.configuration;
  const target = core.checkpoints.highestBeyond(reached(core), f + 1, core.self);
  const first = target?.[0];
  if (target === undefined || first === undefined) {
    core.ticksBehind = 0;
    return;
  }
  core.ticksBehind++;
  const isFar = first.sequence > core.lastExecuted + options.logSize;
  if (!core.isCorrupt && !isFar && core.ticksBehind < 2 * options.resendTicks) return;
  const holders = target.map(({ replica }) => replica);
  core.emit({ kind: 'fetch-state', sequence: first.sequence, digest: first.digest, holders });
}

/** Whether the state after `place` would take us further, and f+1 replicas vouch for this one. */
export function wantsState(core: Core, place: SequenceNumber, digest: Digest): boolean {
  return place > reached(core) && core.checkpoints.vouchers(place, digest, core.self) > core.configuration.f;
}

/** Only a state beyond it takes us further. */
function reached(core: Core): SequenceNumber {
  return core.isCorrupt ? core.stable.sequence : core.lastExecuted;
}

/**
 * The application holds another state now: the one after a checkpoint, read back from our own store or fetched from
 * peers. We go on from there, as if we had executed everything up to it; what we have promised stays promised.
 */
export function onState(core: Core, { sequence: place, digest, time, replies, proof }: InstalledState): void {
  invariant(core.isRestoring || wantsState(core, place, digest), 'a state is installed that nobody asked for');
  for (const checkpoint of proof) core.checkpoints.add(checkpoint);
  core.clients.restore(replies);
  core.lastExecuted = place;
  core.lastTime = time;
  core.isCorrupt = false;
  core.ticksBehind = 0;
  for (const { sequence: below, prePrepare, prepared } of [...core.log.values()]) {
    if (below <= place && prePrepare === undefined && prepared === undefined) core.log.drop(below); // no vote of ours
  }
  for (const later of core.held.keys()) if (later >= place) core.held.delete(later);
  core.held.set(place, digest);
  core.timers.onProgress(place > core.orderedUpTo);
  core.requests.forgetOrder();
  for (const { sequence: above, prePrepare, committed } of core.log.values()) {
    const batch = committed ?? prePrepare?.batch;
    if (above > place && batch !== undefined) core.requests.order(batch, above, core.ticks);
  }
  if (!core.isRestoring) sayCheckpoint(core, place, digest);
  stabilise(core, place);
  // What was heard while we were behind, or knew our state to be wrong, is voted on and executed now.
  for (const slot of [...core.log.values()]) advance(core, slot);
  executeReady(core);
}
