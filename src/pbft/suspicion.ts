import type { Core } from './core.js';
import { censorshipFactor } from './timers.js';
import { failView, startViewChange } from './view-change.js';
import { view } from './types.js';

/** Bundles that are passed on to the primary at once. */
const forwardedMax = 16;

/**
 * One tick of the timers (paper §4.4, rules 14, 19 and 22). In a view: while a request waits and nothing is executed,
 * the primary is suspected; so it is when one request is overtaken for too long. In a view change: the new primary has
 * its time once q replicas want it; until the view is entered our VIEW-CHANGE is sent again.
 */
export function tickTimers(core: Core): void {
  if (core.isChangingView) tickViewChange(core);
  else tickView(core);
}

function tickView(core: Core): void {
  const { timers, requests } = core;
  const { requestTimeoutTicks } = core.configuration.options;
  timers.inView++;
  const oldest = requests.oldestWait(core.ticks, core.lastExecuted);
  if (oldest === undefined) {
    timers.sinceProgress = 0;
    return;
  }
  timers.sinceProgress++;
  const patience = timers.backedOff(requestTimeoutTicks);
  if (timers.sinceProgress === patience >> 1) {
    const bundles = requests.waitingBundles(forwardedMax);
    if (bundles.length > 0 && !core.isPrimary) core.emit({ kind: 'forward', bundles });
  }
  const isStalled = Math.min(timers.sinceProgress, oldest) >= patience;
  const isCensored = Math.min(timers.inView, oldest) >= patience * censorshipFactor;
  if (isStalled || isCensored) startViewChange(core, view(core.view + 1));
}

function tickViewChange(core: Core): void {
  const { timers } = core;
  const { viewChangeTimeoutTicks, resendTicks } = core.configuration.options;
  if (++timers.sinceSent >= resendTicks) {
    timers.sinceSent = 0;
    const message = core.viewChanges.of(core.self);
    if (message?.view === core.view) core.emit({ kind: 'broadcast', message });
  }
  if (timers.sinceQuorum === undefined) return;
  timers.sinceQuorum++;
  if (timers.sinceQuorum >= timers.backedOff(viewChangeTimeoutTicks)) failView(core);
}
