import { checkpointIfDue } from './checkpointing.js';
import type { Core, ReplyProof } from './core.js';
import type { BatchReplies, CachedReply, Executed, ReplyStatement } from './effects.js';
import type { Batch, CommittedCertificate, Request } from './messages.js';
import { sequence, type Digest, type SequenceNumber } from './types.js';

/** Executes what is committed, strictly in sequence order (rule 3, paper §4.2). */
export function executeReady(core: Core): void {
  for (;;) {
    const next = sequence(core.lastExecuted + 1);
    const slot = core.log.get(next);
    if (slot?.committed === undefined) return;
    execute(core, next, slot.committed);
    dropCertificate(core, sequence(Math.max(0, next - core.configuration.options.logSize)));
  }
}

/**
 * What we only learnt from a certificate shows no view change anything, and what we may have said there is promised: it
 * stays for those who are a little behind, and then goes, even while no checkpoint of ours is stable.
 */
function dropCertificate(core: Core, place: SequenceNumber): void {
  const slot = core.log.get(place);
  if (slot?.certificate === undefined || place > core.lastExecuted) return;
  if (slot.prePrepare === undefined && slot.prepared === undefined) core.log.drop(place);
}

function execute(core: Core, place: SequenceNumber, batch: Batch): void {
  // Never back, even if a faulty primary's batch was agreed by replicas that could not see its predecessor.
  core.lastTime = Math.max(core.lastTime, batch.time);
  const outcome = new BatchOutcome();
  const executed = new ExecutedRequests();
  const answers: { readonly gateway: string; readonly fresh: Executed[]; readonly cached: CachedReply[] }[] = [];
  for (const { gateway, requests } of batch.bundles) {
    const fresh: Executed[] = [];
    const cached: CachedReply[] = [];
    for (const request of requests) {
      let now = executed.find(request);
      if (now === undefined && core.clients.standing(request) === 'fresh') {
        now = executeOnce(core, request, place, executed.list.length, outcome);
        executed.add(now);
      }
      const before = now === undefined ? core.clients.cached(request) : undefined;
      if (now !== undefined) fresh.push(now);
      else if (before !== undefined) cached.push(before);
    }
    answers.push({ gateway, fresh, cached });
  }
  const leaves = executed.list;
  outcome.proof = core.environment.proveReplies(leaves);
  outcome.statement = { view: batch.view, sequence: place, size: leaves.length, root: outcome.proof.root };
  core.clients.add(leaves);
  core.lastExecuted = place;
  core.requests.executed(batch, place);
  core.timers.onProgress(place > core.orderedUpTo);
  core.ticksBehind = 0;
  core.emit({ kind: 'executed', sequence: place, batch });
  if (!core.isCorrupt) sendReplies(core, { statement: outcome.statement, leaves }, answers);
  const { checkpointInterval } = core.configuration.options;
  const untilCheckpoint = (checkpointInterval - (place % checkpointInterval)) % checkpointInterval;
  core.environment.application.afterBatch(core.clients.takeChanges(), untilCheckpoint);
  checkpointIfDue(core, place);
}

/** Executes a request that its client's window does not know (rule 12). */
function executeOnce(
  core: Core,
  request: Request,
  place: SequenceNumber,
  index: number,
  outcome: BatchOutcome,
): ExecutedRequest {
  const context = { sequence: place, time: core.lastTime };
  const { result, resultDigest } = core.environment.application.execute(request, context);
  return new ExecutedRequest(request, result, resultDigest, index, outcome);
}

/** What all replies of one batch share: there once all of it is executed. */
class BatchOutcome {
  statement!: ReplyStatement;
  proof!: ReplyProof;
}

/** An executed request: what was done, its leaf, and what is cached of it, in one object, since each replica makes one for each request. */
class ExecutedRequest implements CachedReply, Executed {
  readonly client: string;
  readonly timestamp: number;
  readonly requestDigest: Digest;
  readonly operationDigest: Digest;

  constructor(
    { client, timestamp, digest, operationDigest }: Request,
    readonly result: Uint8Array,
    readonly resultDigest: Digest,
    readonly index: number,
    private readonly outcome: BatchOutcome,
  ) {
    this.client = client;
    this.timestamp = timestamp;
    this.requestDigest = digest;
    this.operationDigest = operationDigest;
  }

  get executed(): Executed {
    return this;
  }

  get statement(): ReplyStatement {
    return this.outcome.statement;
  }

  get path(): Uint8Array {
    return this.outcome.proof.path(this.index);
  }
}

/** What one batch has executed so far. */
class ExecutedRequests {
  readonly list: ExecutedRequest[] = [];
  /** The highest timestamp of each client among them. */
  private readonly newest = new Map<string, number>();

  /** The request, if it is among them: it is looked for only where its client's timestamps do not ascend. */
  find({ client, timestamp }: Request): ExecutedRequest | undefined {
    if (timestamp > (this.newest.get(client) ?? -1)) return undefined;
    return this.list.find((one) => one.client === client && one.timestamp === timestamp);
  }

  add(one: ExecutedRequest): void {
    this.list.push(one);
    this.newest.set(one.client, Math.max(one.timestamp, this.newest.get(one.client) ?? -1));
  }
}

/** One reply to each gateway for what was executed now; what was executed before is answered as it was then. */
function sendReplies(
  core: Core,
  replies: BatchReplies,
  answers: readonly { readonly gateway: string; readonly fresh: readonly Executed[]; readonly cached: CachedReply[] }[],
): void {
  const items = new Map<string, Executed[]>();
  for (const { gateway, fresh } of answers) {
    const known = items.get(gateway);
    if (known === undefined) items.set(gateway, [...fresh]);
    else known.push(...fresh);
  }
  for (const [gateway, executed] of items) {
    if (executed.length > 0) core.emit({ kind: 'reply', gateway, replies, items: executed });
  }
  for (const { gateway, cached } of answers) replyAgain(core, gateway, cached);
}

/** Answers a gateway for what was executed before: one reply for each batch. None from a corrupt state (rule 26). */
export function replyAgain(core: Core, gateway: string, cached: readonly CachedReply[]): void {
  if (core.isCorrupt) return;
  const byStatement = new Map<ReplyStatement, CachedReply[]>();
  for (const reply of cached) {
    const replies = byStatement.get(reply.statement) ?? [];
    replies.push(reply);
    byStatement.set(reply.statement, replies);
  }
  for (const replies of byStatement.values()) core.emit({ kind: 'reply-again', gateway, replies });
}

/** The cached replies to those of the requests that have one. */
export function cachedOf(core: Core, requests: readonly Request[]): CachedReply[] {
  return requests.map((request) => core.clients.cached(request)).filter((reply) => reply !== undefined);
}

/**
 * Two gateways may be asked for the same, by its idempotency key: when one bundle has had it executed, the other's sender
 * is answered, too, instead of asking again.
 */
export function answerOvertaken(core: Core): void {
  for (const { gateway, requests } of core.requests.takeOvertaken()) {
    replyAgain(core, gateway, cachedOf(core, requests));
  }
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
  slot.certificate = certificate;
  core.requests.order(batch, place, core.ticks);
  core.emit({ kind: 'persist', message: certificate });
  executeReady(core);
}
