import { checkpointIfDue } from './checkpointing.js';
import type { Core } from './core.js';
import type { BatchReplies, Executed, ReplyLeaf } from './effects.js';
import type { CachedReply } from './client-table.js';
import type { Batch, CommittedCertificate, Request } from './messages.js';
import { sequence, type SequenceNumber } from './types.js';

/** Executes what is committed, strictly in sequence order (rule 3, paper §4.2). */
export function executeReady(core: Core): void {
  for (;;) {
    const next = sequence(core.lastExecuted + 1);
    const slot = core.log.get(next);
    if (slot?.committed === undefined) return;
    execute(core, next, slot.committed);
    // What we only learnt from a certificate we never voted on: no view change needs it from us.
    if (slot.prePrepare === undefined && slot.prepared === undefined && !core.promises.has(next)) core.log.drop(next);
  }
}

function execute(core: Core, place: SequenceNumber, batch: Batch): void {
  // Never back, even if a faulty primary's batch was agreed by replicas that could not see its predecessor.
  core.lastTime = Math.max(core.lastTime, batch.time);
  const leaves: ReplyLeaf[] = [];
  const replies: BatchReplies = { view: batch.view, sequence: place, leaves };
  const answers = new Map<string, CachedReply[]>();
  for (const bundle of batch.bundles) {
    const items = answers.get(bundle.gateway) ?? [];
    answers.set(bundle.gateway, items);
    for (const request of bundle.requests) {
      const reply = executeOnce(core, request, replies, leaves);
      if (reply !== undefined) items.push(reply);
    }
  }
  core.lastExecuted = place;
  core.requests.executed(batch, place);
  core.timers.onProgress();
  core.emit({ kind: 'executed', sequence: place, batch });
  for (const [gateway, items] of answers) reply(core, gateway, items);
  checkpointIfDue(core, place);
}

/**
 * Executes a request unless its client's window says that it was executed, or is too old to tell (rule 12). A repeated
 * request is answered from the reply cache and adds no leaf.
 */
function executeOnce(
  core: Core,
  request: Request,
  replies: BatchReplies,
  leaves: ReplyLeaf[],
): CachedReply | undefined {
  const standing = core.clients.standing(request);
  if (standing === 'executed') return core.clients.cached(request);
  if (standing === 'stale') return undefined;
  const { client, timestamp, digest: requestDigest } = request;
  const context = { sequence: replies.sequence, time: core.lastTime };
  const outcome = core.environment.application.execute(request, context);
  const executed: Executed = {
    client,
    timestamp,
    requestDigest,
    operationDigest: outcome.operationDigest,
    result: outcome.result,
    index: leaves.length,
  };
  leaves.push({ requestDigest, resultDigest: outcome.resultDigest });
  const cached: CachedReply = { executed, replies };
  core.clients.add(cached);
  return cached;
}

/** Answers a gateway: one reply for each batch that its requests were executed in. None from a corrupt state (rule 26). */
export function reply(core: Core, gateway: string, answers: readonly CachedReply[]): void {
  if (core.isCorrupt) return;
  const batches = new Map<BatchReplies, Executed[]>();
  for (const { executed, replies } of answers) {
    const items = batches.get(replies) ?? [];
    items.push(executed);
    batches.set(replies, items);
  }
  for (const [replies, items] of batches) core.emit({ kind: 'reply', gateway, replies, items });
}

/** Takes a peer's proof that a batch was committed while we were away, or missed its messages. */
export function onCertificate(core: Core, certificate: CommittedCertificate): void {
  const { batch, commits } = certificate;
  const first = commits[0];
  const signers = new Set(commits.map((commit) => commit.replica));
  const isSound =
    first !== undefined &&
    signers.size >= core.configuration.q &&
    commits.every(
      (commit) => commit.digest === batch.digest && commit.view === first.view && commit.sequence === first.sequence,
    );
  if (!isSound) return core.emit({ kind: 'refused', reason: 'invalid-certificate' });
  const place = first.sequence;
  if (place <= core.lastExecuted) return core.emit({ kind: 'refused', reason: 'already-executed' });
  // Executing needs no place between the water marks: who was away for long reads the log from where it left off.
  if (place > core.lastExecuted + core.configuration.options.logSize) {
    return core.emit({ kind: 'refused', reason: 'outside-window' });
  }
  const slot = core.log.open(place);
  if (slot.committed !== undefined) return core.emit({ kind: 'refused', reason: 'duplicate' });
  slot.committed = batch;
  core.requests.order(batch, place, core.ticks);
  core.emit({ kind: 'persist', message: certificate });
  executeReady(core);
}
