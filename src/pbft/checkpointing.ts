import type { Core } from './core.js';
import type { Checkpoint, ViewChange } from './messages.js';
import { sequence, type Digest, type SequenceNumber } from './types.js';

/** Every K sequence numbers a replica tells the digest of its state (paper §4.3, rule 23); none that it knows to be wrong. */
export function checkpointIfDue(core: Core, place: SequenceNumber): void {
  if (place % core.configuration.options.checkpointInterval !== 0) return;
  const digest = core.environment.application.checkpoint(place, core.lastTime);
  core.held.set(place, digest);
  if (!core.isCorrupt) sayCheckpoint(core, place, digest);
  stabilise(core, place);
}

/** Says what state we hold, unless another word of ours on that place is out already: it was wrong, and stays alone. */
export function sayCheckpoint(core: Core, place: SequenceNumber, digest: Digest): void {
  if (core.checkpoints.of(core.self, place) !== undefined) return;
  const message: Checkpoint = { kind: 'checkpoint', sequence: place, digest, replica: core.self };
  core.checkpoints.add(message);
  core.emit({ kind: 'persist', message });
  core.emit({ kind: 'broadcast', message });
}

/** Takes another replica's CHECKPOINT, one for each (sequence, signer). */
export function onCheckpoint(core: Core, message: Checkpoint): void {
  const { sequence: place, replica } = message;
  if (place % core.configuration.options.checkpointInterval !== 0) {
    core.emit({ kind: 'refused', reason: 'invalid-checkpoint', replica });
  } else if (place <= core.stable.sequence) {
    core.emit({ kind: 'refused', reason: 'already-executed', replica });
  } else if (core.checkpoints.add(message) !== undefined) {
    core.emit({ kind: 'refused', reason: 'duplicate', replica });
  } else {
    stabilise(core, place);
  }
}

/** A view change shows which checkpoint is stable: who is behind learns where to get the state (rule 20). */
export function learnCheckpoint(core: Core, { stable }: ViewChange): void {
  if (stable.sequence <= core.stable.sequence) return;
  for (const checkpoint of stable.proof) core.checkpoints.add(checkpoint);
  stabilise(core, stable.sequence);
}

export function stabilise(core: Core, place: SequenceNumber): void {
  if (!moveLowWaterMark(core, place)) return;
  for (const message of core.stable.proof) if (message.replica !== core.self) core.emit({ kind: 'persist', message });
  core.emit({ kind: 'stable', checkpoint: core.stable });
}

/**
 * q matching CHECKPOINTs make a checkpoint stable: h moves there and the log below goes (paper §4.3). Only if we have
 * that state ourselves: a replica discards only what it holds the state for. If we have another one we are corrupt,
 * whoever spoke last (rule 26).
 */
export function moveLowWaterMark(core: Core, place: SequenceNumber): boolean {
  const proof = core.checkpoints.quorum(place, core.configuration.q);
  const held = core.held.get(place);
  if (proof === undefined || held === undefined || place <= core.stable.sequence) return false;
  if (proof[0]?.digest !== held) {
    core.isCorrupt = true;
    core.emit({ kind: 'corrupt', sequence: place });
    return false;
  }
  core.stable = { sequence: place, proof };
  core.log.dropUpTo(place);
  core.promises.dropUpTo(place);
  core.checkpoints.dropBelow(place);
  for (const below of core.held.keys()) if (below < place) core.held.delete(below);
  for (const unproven of core.unproven.keys()) if (unproven <= place) core.unproven.delete(unproven);
  return true;
}

/** Tells the latest checkpoint again to those who may have missed it. */
export function resendCheckpoint(core: Core): void {
  const { checkpointInterval } = core.configuration.options;
  const latest = sequence(core.lastExecuted - (core.lastExecuted % checkpointInterval));
  const message = core.checkpoints.of(core.self, latest);
  const isDue = latest > core.stable.sequence && !core.isCorrupt && message?.digest === core.held.get(latest);
  if (message !== undefined && isDue) core.emit({ kind: 'broadcast', message });
}
