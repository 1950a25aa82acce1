import type { CommittedCertificate } from '../pbft/messages.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { sequence, type SequenceNumber } from '../pbft/types.js';
import type { Channel } from '../ports/bus.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeFetch, encodeCertificate, encodeDecided, type Fetch } from '../wire/service.js';
import type { Answers } from './answers.js';
import type { BatchBook } from './batch-book.js';
import type { CommitVotes } from './commit-votes.js';
import type { Host } from './host.js';
import { certificateIn, readEntry } from './log-entries.js';
import type { MessageBook } from './message-book.js';

/** Fetches that wait to be served; further ones are dropped and asked again. */
const waitingMax = 8;
/** Bytes of batches that one answer carries; the asker fetches the rest next. */
const answerBytesMax = 2 * 1024 * 1024;
/** What each certificate takes of the asker's allowance besides its bytes: its signatures are verified, and ours is made. */
const workBytes = 16 * 1024;

/** A batch's bytes, and q COMMIT frames for it. */
interface CertificateParts {
  readonly batch: Buffer;
  readonly commitFrames: readonly Buffer[];
}

export interface LibraryOptions {
  readonly log: MessageLog;
  readonly host: Host;
  readonly genesisDigest: Buffer;
  readonly self: number;
  readonly n: number;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly book: MessageBook;
  readonly batches: BatchBook;
  readonly commits: CommitVotes;
  readonly answers: Answers;
}

/** A question that is not answered yet. */
interface Waiting {
  readonly asker: number;
  readonly fetch: Fetch;
  readonly channel: Channel;
}

/** Hands committed batches with their certificates to peers and gateways, one request at a time, out of the log. */
export class Library {
  private readonly waiting: Waiting[] = [];
  private isServing = false;

  constructor(private readonly options: LibraryOptions) {}

  onFetch(frame: Frame): RefusalReason | undefined {
    const fetch = decoded(() => decodeFetch(frame.signer, frame.body));
    if (fetch === 'malformed-frame') return fetch;
    if (fetch.target !== this.options.self) return undefined;
    const reason = this.options.answers.screen(frame);
    if (reason !== undefined) return reason;
    if (this.waiting.length >= waitingMax) return 'overloaded';
    const channel: Channel = fetch.credential === undefined ? 'state' : `reply:${fetch.credential.name}`;
    this.waiting.push({ asker: frame.signer, fetch, channel });
    if (!this.isServing) void this.serveAll();
    return undefined;
  }

  private async serveAll(): Promise<void> {
    this.isServing = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      // A log that cannot be read now serves nobody; whoever asked asks another replica.
      const frames = await this.answer(next).catch(() => []);
      this.options.answers.send(next.asker, next.channel, frames);
    }
    this.isServing = false;
  }

  private async answer({ asker, fetch, channel }: Waiting): Promise<Buffer[]> {
    const { sealer, answers, host } = this.options;
    const { from, count } = fetch;
    const { lastExecuted } = host.replica;
    const frames: Buffer[] = [];
    let bytes = 0;
    for (let place = from; place < from + count && bytes < answerBytesMax; place++) {
      const isPeer = channel === 'state';
      const found = place > lastExecuted ? 'nothing' : (this.recent(sequence(place)) ?? (await this.logged(place)));
      if (found === 'no proof' && isPeer) this.onUnproven(sequence(place));
      if (found === 'no proof' || (found === 'nothing' && isPeer)) continue;
      const attachment = found === 'nothing' ? undefined : encodeCertificate(found.batch, found.commitFrames);
      const frame = sealer.seal('decided', encodeDecided({ sequence: place, lastExecuted }), attachment);
      frames.push(frame);
      bytes += frame.length;
      answers.spend(asker, workBytes);
    }
    return frames;
  }

  /** What the log shows: the certificate, that it was removed behind a stable checkpoint, or nothing that proves anything to others. */
  private async logged(place: number): Promise<CertificateParts | 'nothing' | 'no proof'> {
    const { log, host, genesisDigest, n, opener } = this.options;
    const hash = await log.read(place);
    if (Object.keys(hash).length === 0 && place <= host.replica.stable.sequence) return 'nothing';
    const found = certificateIn(readEntry(hash, place, genesisDigest), n, opener);
    return found ? { batch: found.batch, commitFrames: found.commits.map(({ bytes }) => bytes) } : 'no proof';
  }

  /** The certificate of a batch that is still in memory: what a log that was lost cannot show. */
  private recent(place: SequenceNumber): CertificateParts | undefined {
    const { host, book, batches } = this.options;
    const certificate = this.provenCertificate(place);
    // What is handed out past the turns must not hold a word of ours that still waits in one.
    if (certificate?.commits.some((commit) => host.isUnsaid(commit)) !== false) return undefined;
    const { batch, commits } = certificate;
    return { batch: batches.encode(batch), commitFrames: commits.map((commit) => book.frameOf(commit)) };
  }

  /** A certificate that others can be shown. */
  private provenCertificate(place: SequenceNumber): CommittedCertificate | undefined {
    const { host, commits } = this.options;
    return host.replica.certificateOf(place, (commit) => commits.isProven(commit));
  }

  /** A peer lacks a batch that was executed here, and we cannot show that it is committed. */
  private onUnproven(place: SequenceNumber): void {
    if (this.provenCertificate(place) === undefined) this.options.host.step({ kind: 'unprovable', sequence: place });
  }
}
