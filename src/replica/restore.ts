import type { Logger } from '../ports/logger.js';
import type { MessageLog } from '../ports/message-log.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';
import type { Opener } from '../wire/envelope.js';
import type { Host } from './host.js';
import { certificateIn, readEntry, type LogEntry } from './log-entries.js';
import type { MessageBook } from './message-book.js';

/** Sequence numbers that are read at once. */
const readAhead = 64;

export interface RestoreOptions {
  readonly host: Host;
  readonly log: MessageLog;
  readonly promises: PromiseKeeper;
  readonly opener: Opener;
  readonly book: MessageBook;
  readonly genesisDigest: Buffer;
  readonly n: number;
  readonly logger: Logger;
}

/**
 * Reads a replica's own log back after a restart. The log is not trusted (rule 30): a batch is executed again only on q
 * verified COMMITs, and what this identity has promised comes from its data folder, so that a log which was deleted,
 * edited or rolled back can neither change history nor make the replica contradict itself.
 */
export async function restore(options: RestoreOptions): Promise<void> {
  const { host, logger } = options;
  const entries = entriesFrom(options, 1);
  let pending = await entries.next();
  while (pending.done !== true && executeEntry(options, pending.value)) pending = await entries.next();
  const executed = host.replica.lastExecuted;
  for (const promise of options.promises.read()) host.step({ kind: 'promise', promise });
  for (let left = host.replica.highWaterMark - executed; left > 0 && pending.done !== true; left--) {
    restoreVotes(options, pending.value);
    pending = await entries.next();
  }
  await entries.return(undefined);
  const promised = Math.max(0, ...options.promises.read().map((promise) => promise.sequence));
  if (promised > host.replica.highWaterMark) {
    logger.warn({ executed, promised }, 'the log in Redis is older than what this replica has promised');
  }
  logger.info({ executed }, `restored the log up to ${executed}`);
}

async function* entriesFrom(
  { log, genesisDigest }: RestoreOptions,
  first: number,
): AsyncGenerator<LogEntry, undefined, undefined> {
  for (let from = first; ; from += readAhead) {
    const places = Array.from({ length: readAhead }, (_, offset) => from + offset);
    const hashes = await Promise.all(places.map((place) => log.read(place)));
    for (const [offset, hash] of hashes.entries()) yield readEntry(hash, from + offset, genesisDigest);
    if (hashes.every((hash) => Object.keys(hash).length === 0)) return undefined;
  }
}

/** @returns whether the entry proves that its batch committed, so that it was executed. */
function executeEntry({ host, book, opener, n }: RestoreOptions, entry: LogEntry): boolean {
  const found = certificateIn(entry, n, opener);
  if (found === undefined) return false;
  const commits = found.commits.map((frame) => book.phaseMessage(frame));
  const messages = commits.filter((message) => typeof message !== 'string');
  const certificate = book.certificate(found.batch, messages);
  if (typeof certificate === 'string') return false;
  const before = host.replica.lastExecuted;
  host.step({ kind: 'certificate', certificate });
  return host.replica.lastExecuted > before;
}

/** What was said and heard where nothing is executed yet; PRE-PREPAREs first, as they were. */
function restoreVotes({ host, book, opener, n }: RestoreOptions, entry: LogEntry): void {
  const frames = [...entry.prePrepares, ...entry.prepares, ...entry.commits].map(({ frame }) => frame);
  for (const frame of frames) {
    const message = frame.signer < n && opener.verify(frame) ? book.phaseMessage(frame) : 'bad-signature';
    if (typeof message === 'string') host.refuse(message);
    else host.step({ kind: 'restore', message });
  }
}
