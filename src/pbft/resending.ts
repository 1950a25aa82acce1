import type { Core } from './core.js';
import type { Slot } from './slot.js';
import { sequence } from './types.js';

/** Slots that one tick sends again at the most. */
const slotsPerTickMax = 32;

/** A slot's wait doubles this often at the most. */
const doublingsMax = 5;

/**
 * Pub/sub delivers at most once (rule 29): what we said in slots that make no progress is said again, more and more
 * rarely. Votes are idempotent, so repeating them does no harm.
 */
export function resendStalled(core: Core): void {
  if (!core.isVoting) return;
  let sent = 0;
  for (let place = core.lastExecuted + 1; place <= core.highWaterMark && sent < slotsPerTickMax; place++) {
    const slot = core.log.get(sequence(place));
    if (slot?.prePrepare === undefined || slot.committed !== undefined || !isDue(core, slot)) continue;
    slot.lastSentTick = core.ticks;
    slot.resends++;
    sent += sayAgain(core, slot);
  }
}

function isDue(core: Core, slot: Slot): boolean {
  const wait = core.configuration.options.resendTicks * 2 ** Math.min(slot.resends, doublingsMax);
  return core.ticks - slot.lastSentTick >= wait;
}

function sayAgain(core: Core, slot: Slot): number {
  // A PRE-PREPARE of a NEW-VIEW goes with that message; alone it could not be judged.
  const isCarriedOver = slot.prePrepare?.batch?.view !== core.view;
  const own = [isCarriedOver ? undefined : slot.prePrepare, slot.prepares.get(core.self), slot.commits.get(core.self)];
  let sent = 0;
  for (const message of own) {
    if (message === undefined || message.replica !== core.self) continue;
    core.emit({ kind: 'broadcast', message });
    sent = 1;
  }
  return sent;
}
