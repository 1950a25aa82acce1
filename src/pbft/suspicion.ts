import type { Core } from './core.js';
import { censorshipFactor, idlenessFactor } from './timers.js';
import { failView, goOnWith, startViewChange } from './view-change.js';
import { sequence, view } from './types.js';

/** Bundles that are passed on to the primary at once. */
const forwardedMax = 16;

/**
 * One tick of the timers (paper §4.4, rules 14, 19 and 22). In a view: while a request waits and nothing is executed,
 * the primary is suspected; so it is when one request is overtaken for too long, and when it lets requests lie for most
 * of the time though nothing is under way: a correct one orders what waits at once. In a view change: the new primary has
 * its time once q replicas want it; until the view is entered our VIEW-CHANGE is sent again.
 */
export function tickTimers(core: Core): void {
  const { timers, requests, configuration } = core;
  const oldest = requests.oldestWait(core.ticks, core.lastExecuted);
  timers.sinceProgress = oldest === undefined ? 0 : timers.sinceProgress + 1;
  const patience = timers.backedOff(configuration.options.requestTimeoutTicks);
  if (timers.sinceProgress % patience === patience >> 1) forward(core);
  goOnWith(core);
  if (core.isChangingView) tickViewChange(core);
  else tickView(core, oldest ?? 0, patience);
}

/** Passes on what waits, at half-time and again after each further time-out: nobody else may have heard of it. */
function forward(core: Core): void {
  if (core.isPrimary && !core.isChangingView) return;
  const bundles = core.requests.waitingBundles(forwardedMax);
  if (bundles.length > 0) core.emit({ kind: 'forward', bundles });
}

function tickView(core: Core, oldest: number, patience: number): void {
  const { timers } = core;
  timers.inView++;
  if (core.ticksBehind > 0) {
    // The others get on: what we cannot execute yet is no fault of the primary's. If it is, f+1 of them take us along.
    timers.sinceProgress = 0;
    timers.idle = 0;
    return;
  }
  timers.idle = Math.max(0, timers.idle + (isIdle(core, oldest) ? 1 : -1));
  const isStalled = Math.min(timers.sinceProgress, oldest) >= patience;
  const isCensored = Math.min(timers.inView, oldest) >= patience * censorshipFactor;
  const isSlow = timers.idle >= patience * idlenessFactor;
  if (!isStalled && !isCensored && !isSlow) timers.onTickInView(patience);
  else if (timers.hasHeld) startViewChange(core, view(core.view + 1));
  else failView(core); // a view that never held came to nothing, too (paper §4.5.2)
}

/** Whether a request waits that the primary could order now. Load alone never looks so: then instances are under way. */
function isIdle(core: Core, oldest: number): boolean {
  return oldest > 0 && core.log.get(sequence(core.lastExecuted + 1))?.proposal === undefined;
}

function tickViewChange(core: Core): void {
  if (!core.canChangeView) return;
  const { timers } = core;
  const { viewChangeTimeoutTicks, resendTicks } = core.configuration.options;
  const message = core.viewChanges.of(core.self);
  // After a restart: what we said to get this view is lost, and a second word on it could contradict the first; or we are
  // its primary and may have begun it. The next view is free of this (rule 21).
  const isStranded = message?.view !== core.view || (core.isPrimary && core.view === core.resumedView);
  if (isStranded) {
    startViewChange(core, view(core.view + 1));
    return;
  }
  if (++timers.sinceSent >= resendTicks) {
    timers.sinceSent = 0;
    core.emit({ kind: 'broadcast', message });
  }
  if (timers.sinceQuorum === undefined) return;
  timers.sinceQuorum++;
  if (timers.sinceQuorum >= timers.backedOff(viewChangeTimeoutTicks)) failView(core);
}
