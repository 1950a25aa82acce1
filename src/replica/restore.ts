import type { RefusalReason } from '../pbft/refusal.js';
import { sequence } from '../pbft/types.js';
import type { Checkpoint, NewView, PhaseMessage, ViewChange } from '../pbft/messages.js';
import type { Logger } from '../ports/logger.js';
import type { MessageLog } from '../ports/message-log.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';
import type { Opener } from '../wire/envelope.js';
import type { Frame } from '../wire/frame.js';
import type { Kind } from '../wire/kinds.js';
import { loadCheckpoint } from './checkpoint-loader.js';
import type { StoredState } from './checkpoint-store.js';
import type { Host } from './host.js';
import { certificateIn, fields, readEntry, type LogEntry } from './log-entries.js';
import type { MessageBook } from './message-book.js';
import type { Service } from './service.js';

/** Sequence numbers that are read at once. */
const readAhead = 64;

export interface RestoreOptions {
  readonly host: Host;
  readonly log: MessageLog;
  readonly promises: PromiseKeeper;
  readonly opener: Opener;
  readonly book: MessageBook;
  readonly genesisDigest: Buffer;
  readonly names: readonly string[];
  readonly service: Service;
  readonly logger: Logger;
}

/**
 * Reads a replica's own log back after a restart. The log is not trusted (rule 30): a batch is executed again only on q
 * verified COMMITs, everything else is verified as if it came over the bus, and what this identity has promised comes
 * from its data folder: a log that was deleted, edited or rolled back can neither change history nor make the replica
 * contradict itself. The state comes from the stored checkpoint if q replicas vouch for it, and from peers otherwise.
 *
 * @returns the checkpoint that is stored, for the store to go on from
 */
export async function restore(options: RestoreOptions): Promise<StoredState | undefined> {
  const { host, logger, promises, log } = options;
  const stored = await restoreState(options);
  await executeAgain(options);
  const own = await log.readReplica();
  for (const name of options.names) restoreView(options, own[fields.checkpoint(name)], 'checkpoint');
  host.step({ kind: 'settled', sequence: sequence(promises.settled) });
  for (const promise of promises.read()) host.step({ kind: 'promise', promise });
  restoreView(options, own[fields.viewChange], 'view-change');
  restoreView(options, own[fields.newView], 'new-view');
  for await (const entry of entriesFrom(options, host.replica.stable.sequence + 1, host.replica.highWaterMark)) {
    restoreVotes(options, entry);
  }
  for (const { proof } of promises.read()) if (proof !== undefined) restorePrepared(options, proof);
  const { lastExecuted, view, isAmnesiac } = host.replica;
  if (isAmnesiac) logger.error({}, 'the log in Redis has lost what this replica has voted for (rule 28)');
  logger.info({ lastExecuted, view }, `read the log back up to ${lastExecuted}`);
  return stored;
}

/** The state of the stored checkpoint, if there is one and it is genuine: the log goes on from there. */
async function restoreState({
  host,
  log,
  opener,
  book,
  names,
  service,
  logger,
}: RestoreOptions): Promise<StoredState | undefined> {
  const stored = await loadCheckpoint({ log, state: service.checkpoints, opener, n: names.length, logger });
  if (stored === undefined) return undefined;
  const { head, digest } = stored.snapshot;
  const proof = stored.proof.flatMap((bytes): Checkpoint[] => {
    const message = openVerified(opener, bytes, 'checkpoint', (frame) => book.checkpoint(frame));
    return typeof message === 'string' ? [] : [message];
  });
  const replies = service.replyTable();
  host.step({ kind: 'state', sequence: sequence(head.sequence), digest, time: head.time, replies, proof });
  return stored;
}

/** Executes again what is proven to be committed, up to the first gap; the rest comes from peers. */
async function executeAgain(options: RestoreOptions): Promise<void> {
  const { host, book, opener, names } = options;
  for await (const entry of entriesFrom(options, host.replica.lastExecuted + 1, Number.MAX_SAFE_INTEGER)) {
    const found = certificateIn(entry, names.length, opener);
    if (found === undefined) return;
    const certificate = book.certificate(
      found.batch,
      found.commits.map(({ bytes }) => bytes),
    );
    const before = host.replica.lastExecuted;
    if (typeof certificate !== 'string') host.step({ kind: 'certificate', certificate });
    if (host.replica.lastExecuted === before) return;
  }
}

async function* entriesFrom(
  { log, genesisDigest }: RestoreOptions,
  first: number,
  last: number,
): AsyncGenerator<LogEntry, undefined, undefined> {
  for (let from = first; from <= last; from += readAhead) {
    const count = Math.min(readAhead, last - from + 1);
    const places = Array.from({ length: count }, (_, offset) => from + offset);
    const hashes = await Promise.all(places.map((place) => log.read(place)));
    for (const [offset, hash] of hashes.entries()) yield readEntry(hash, from + offset, genesisDigest);
    if (hashes.every((hash) => Object.keys(hash).length === 0)) return undefined;
  }
}

function restoreView(
  { host, opener, book }: RestoreOptions,
  bytes: Buffer | undefined,
  kind: 'checkpoint' | 'view-change' | 'new-view',
): void {
  if (bytes === undefined) return;
  const message = openVerified(opener, bytes, kind, (frame): Checkpoint | ViewChange | NewView | RefusalReason => {
    if (kind === 'checkpoint') return book.checkpoint(frame);
    return kind === 'view-change' ? book.viewChange(frame) : book.newView(frame);
  });
  if (typeof message === 'string') host.refuse(message);
  else host.step({ kind: 'restore-view', message });
}

function openVerified<M>(
  opener: Opener,
  bytes: Buffer,
  kind: Kind,
  read: (frame: Frame) => M | RefusalReason,
): M | RefusalReason {
  const frame = opener.openInner(bytes, kind);
  if (typeof frame === 'string') return frame;
  return opener.verify(frame) ? read(frame) : 'bad-signature';
}

/** What a COMMIT of ours rested on: we can show it, whatever has become of the log, which then has it again. */
function restorePrepared({ host, book }: RestoreOptions, proof: Buffer): void {
  const prepared = book.prepared(proof);
  if (typeof prepared === 'string') {
    host.refuse(prepared);
    return;
  }
  const place = prepared.prePrepare.sequence;
  const known = host.replica.preparedAt(place);
  host.step({ kind: 'restore', messages: [prepared.prePrepare, ...prepared.prepares] });
  if (host.replica.preparedAt(place) !== known) host.logAgain(place);
}

/** What was said and heard above the stable checkpoint, in all views. */
function restoreVotes({ host, book, opener, names }: RestoreOptions, entry: LogEntry): void {
  const frames = [...entry.prePrepares, ...entry.prepares, ...entry.commits].map(({ frame }) => frame);
  const messages: PhaseMessage[] = [];
  for (const frame of frames) {
    const isGenuine = frame.signer < names.length && opener.verify(frame);
    const message = isGenuine ? book.phaseMessage(frame) : 'bad-signature';
    if (typeof message === 'string') host.refuse(message);
    else messages.push(message);
  }
  if (messages.length > 0) host.step({ kind: 'restore', messages });
}
