import { isSoundNewView, isSoundViewChange, planNewView } from './certificates.js';
import { learnCheckpoint } from './checkpointing.js';
import type { Core } from './core.js';
import type { Batch, NewView, PreparedCertificate, PrePrepare, ViewChange } from './messages.js';
import { advance, onLackingBatch } from './normal-case.js';
import { primaryOf } from './quorum.js';
import { view, type ReplicaIndex, type SequenceNumber, type View } from './types.js';

/**
 * Stops voting in the old view and asks for `target` (paper §4.4, rule 15): with our stable checkpoint and its proof,
 * and for every sequence number above it what prepared here, in the certificate of the highest view, whole. Who cannot
 * say that stays where it is, and goes on voting there, until others take it along with a NEW-VIEW (rule 28).
 */
export function startViewChange(core: Core, target: View): void {
  if (!core.canChangeView) return;
  core.view = target;
  core.isChangingView = true;
  core.newView = undefined;
  core.isPrimaryFaulty = false;
  core.requests.forgetOrder();
  core.timers.onViewChange();
  core.emit({ kind: 'view', view: target, isChanging: true });
  const prepared: PreparedCertificate[] = [];
  for (const slot of core.log.values()) if (slot.prepared !== undefined) prepared.push(slot.prepared);
  prepared.sort((a, b) => a.prePrepare.sequence - b.prePrepare.sequence);
  const message: ViewChange = { kind: 'view-change', view: target, replica: core.self, stable: core.stable, prepared };
  core.viewChanges.add(message);
  core.emit({ kind: 'persist', message });
  core.emit({ kind: 'broadcast', message });
  onEnoughViewChanges(core);
}

/**
 * A VIEW-CHANGE is taken when
 * 1. it is for our view or a higher one;
 * 2. it is the sender's first for that view;
 * 3. its checkpoint and each of its certificates are proven.
 * Then: f+1 replicas that ask for views above ours take us along, to the lowest of them (rule 17); and q for the view
 * that we want let its primary begin it, and start our timer (rule 19).
 */
export function onViewChange(core: Core, message: ViewChange): void {
  const { replica } = message;
  if (message.view < core.view) return core.emit({ kind: 'refused', reason: 'old-view', replica });
  if (message.view === core.view && !core.isChangingView) return tellNewView(core, replica);
  if (!isSoundViewChange(message, core.configuration)) {
    return core.emit({ kind: 'refused', reason: 'invalid-view-change', replica });
  }
  if (!core.viewChanges.add(message)) return core.emit({ kind: 'refused', reason: 'duplicate', replica });
  remember(core, message);
  learnCheckpoint(core, message);
  goOnWith(core);
}

/**
 * What the VIEW-CHANGEs that are there lead to. Asked again at each tick, since who could not say truly what had prepared
 * when they came may be able to by now, and they do not come a second time.
 */
export function goOnWith(core: Core): void {
  if (!core.canChangeView) return;
  const above = core.viewChanges.viewsAbove(core.view);
  const lowest = above[0];
  if (lowest !== undefined && above.length > core.configuration.f) startViewChange(core, lowest);
  else onEnoughViewChanges(core);
}

/**
 * A certificate proves itself, whoever shows it: what a peer has prepared is what our own log has lost (rule 28). One of a
 * view above ours does not belong into the VIEW-CHANGE that comes next.
 */
function remember(core: Core, { prepared }: ViewChange): void {
  for (const certificate of prepared) {
    const { sequence: place, view: proposedIn } = certificate.prePrepare;
    const isLost = proposedIn >= (core.unproven.get(place) ?? Infinity);
    if (!isLost || proposedIn > core.view || place > core.highWaterMark) continue;
    core.log.open(place).prepared = certificate;
    core.unproven.delete(place);
  }
}

/** Somebody still asks for the view that we are in: its primary's NEW-VIEW was lost on the way. */
function tellNewView(core: Core, replica: ReplicaIndex): void {
  core.emit({ kind: 'refused', reason: 'old-view', replica });
  if (core.newView === undefined || !mayTellNewView(core)) return;
  core.timers.newViewToldAt = core.ticks;
  core.emit({ kind: 'broadcast', message: core.newView });
}

/** Its primary tells it, once for all who ask now: it is large, and whoever runs Redis can repeat a question. */
export function mayTellNewView(core: Core): boolean {
  const isDue = core.ticks >= core.timers.newViewToldAt + core.configuration.options.resendTicks;
  return core.newView?.replica === core.self && isDue;
}

function onEnoughViewChanges(core: Core): void {
  if (!core.isChangingView) return;
  const { q } = core.configuration;
  // Those who want a later view have given up on ours: waiting for their word on ours could last for ever.
  if (core.viewChanges.countFrom(core.view) >= q) core.timers.sinceQuorum ??= 0;
  const viewChanges = core.viewChanges.for(core.view);
  if (viewChanges.length < q || !core.isPrimary || !core.canChangeView) return;
  // Two NEW-VIEWs for one view would be two words: after a restart the next view is safe, this one is not.
  if (core.view !== core.resumedView) beginView(core, viewChanges);
}

/** The new primary's part: NEW-VIEW with q VIEW-CHANGEs and what follows from them (paper §4.4). */
function beginView(core: Core, all: readonly ViewChange[]): void {
  const viewChanges = all.slice(0, core.configuration.q);
  const plan = planNewView(viewChanges, core.environment.nullBatch.digest);
  const prePrepares = plan.order.map(({ sequence: place, digest }): PrePrepare => {
    return { kind: 'pre-prepare', view: core.view, sequence: place, digest, replica: core.self, batch: undefined };
  });
  const message: NewView = { kind: 'new-view', view: core.view, replica: core.self, viewChanges, prePrepares };
  core.emit({ kind: 'persist', message });
  core.emit({ kind: 'broadcast', message });
  enterView(core, message);
}

/**
 * A NEW-VIEW is taken when
 * 1. it is for the view that we want, or a higher one than ours (rule 18: never for a lower one);
 * 2. it is from that view's primary, with q sound VIEW-CHANGEs of distinct replicas for exactly that view;
 * 3. it orders what we compute from them ourselves.
 * One that differs proves its primary faulty: the next view begins (rule 16).
 */
export function onNewView(core: Core, message: NewView): void {
  const { replica } = message;
  const isWanted = message.view > core.view || (message.view === core.view && core.isChangingView);
  if (!isWanted) return core.emit({ kind: 'refused', reason: 'old-view', replica });
  if (replica !== primaryOf(message.view, core.configuration.n)) {
    return core.emit({ kind: 'refused', reason: 'not-primary', replica });
  }
  if (!isSoundNewView(message, core.configuration, core.environment.nullBatch.digest)) {
    core.emit({ kind: 'refused', reason: 'invalid-new-view', replica });
    if (message.view === core.view) failView(core);
    return;
  }
  core.emit({ kind: 'persist', message });
  enterView(core, message);
}

/** The view that we wait for does not come about: ask for the next one, with twice the time (rule 19). */
export function failView(core: Core): void {
  if (!core.canChangeView) return;
  core.timers.failures++;
  startViewChange(core, view(core.view + 1));
}

/**
 * Enters a view: what its NEW-VIEW orders goes through the phases again, executed or not; batches that we lack are
 * fetched; requests that were on their way in the old view wait again for a place (rule 20).
 */
function enterView(core: Core, message: NewView): void {
  core.view = message.view;
  core.isChangingView = false;
  core.newView = message;
  core.isPrimaryFaulty = false;
  core.timers.onViewEntered();
  core.emit({ kind: 'view', view: core.view, isChanging: false });
  for (const slot of core.log.values()) slot.enterView();
  core.requests.forgetOrder();
  for (const viewChange of message.viewChanges) {
    remember(core, viewChange);
    learnCheckpoint(core, viewChange);
  }
  core.orderedUpTo = lastOrdered(core, message);
  for (const prePrepare of message.prePrepares) acceptCarriedOver(core, prePrepare);
  core.lastProposed = core.orderedUpTo;
}

/** The sequence number behind which the view's primary proposes. */
export function lastOrdered(core: Core, { viewChanges }: NewView): SequenceNumber {
  const { stable, order } = planNewView(viewChanges, core.environment.nullBatch.digest);
  return order.at(-1)?.sequence ?? stable.sequence;
}

/** A batch that the view orders, or its primary has proposed, and that we lacked has come. */
export function onBatch(core: Core, place: SequenceNumber, batch: Batch): void {
  const slot = core.log.get(place);
  const prePrepare = slot?.proposal;
  if (slot === undefined || prePrepare?.digest !== batch.digest || prePrepare.batch !== undefined) {
    return core.emit({ kind: 'refused', reason: 'duplicate' });
  }
  if (prePrepare === slot.lacking) return onLackingBatch(core, slot, prePrepare, batch);
  prePrepare.batch = batch;
  slot.keep(batch);
  core.emit({ kind: 'persist', message: prePrepare });
  if (place > core.lastExecuted) core.requests.order(batch, place, core.ticks);
  advance(core, slot);
}

/** Batches that are asked for again at once: as many as a peer looks into in a tick. */
const askedAtOnceMax = 64;

/**
 * Asks again for batches that the view orders, or its primary has proposed, and that nobody has sent yet; and takes what it orders beyond where our
 * window was when we entered it.
 */
export function fetchMissing(core: Core): void {
  for (const prePrepare of core.newView?.prePrepares ?? []) {
    const { sequence: place } = prePrepare;
    if (place > core.lastExecuted && core.log.get(place)?.prePrepare === undefined) acceptCarriedOver(core, prePrepare);
  }
  let asked = 0;
  for (const { sequence, proposal } of core.log.values()) {
    if (proposal === undefined || proposal.batch !== undefined || sequence <= core.lastExecuted) continue;
    if (++asked > askedAtOnceMax) return;
    core.emit({ kind: 'fetch-batch', sequence, digest: proposal.digest });
  }
}

/** One PRE-PREPARE of O. It binds us like any other, but was judged when it first prepared. */
function acceptCarriedOver(core: Core, prePrepare: PrePrepare): void {
  const { sequence: place, digest } = prePrepare;
  if (place <= core.lowWaterMark || place > core.highWaterMark) return;
  const slot = core.log.open(place);
  const { nullBatch } = core.environment;
  prePrepare.batch ??= digest === nullBatch.digest ? nullBatch : slot.batchOf(digest);
  slot.prePrepare = prePrepare;
  core.emit({ kind: 'persist', message: prePrepare });
  if (prePrepare.batch === undefined) {
    core.emit({ kind: 'fetch-batch', sequence: place, digest });
    return;
  }
  slot.keep(prePrepare.batch);
  if (place > core.lastExecuted) core.requests.order(prePrepare.batch, place, core.ticks);
  advance(core, slot);
}
