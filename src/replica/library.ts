import type { RefusalReason } from '../pbft/refusal.js';
import type { Channel } from '../ports/bus.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeFetch, encodeCertificate, encodeDecided, type Fetch } from '../wire/service.js';
import type { Answers } from './answers.js';
import { certificateIn, readEntry } from './log-entries.js';

/** Fetches that wait to be served; further ones are dropped and asked again. */
const waitingMax = 8;
/** Bytes of batches that one answer carries; the asker fetches the rest next. */
const answerBytesMax = 2 * 1024 * 1024;
/** What each certificate takes of the asker's allowance besides its bytes: its signatures are verified, and ours is made. */
const workBytes = 16 * 1024;

/** A batch's bytes, and q COMMIT frames for it. */
export interface CertificateParts {
  readonly batch: Buffer;
  readonly commitFrames: readonly Buffer[];
}

export interface LibraryOptions {
  readonly log: MessageLog;
  readonly sealer: Sealer;
  readonly opener: Opener;
  readonly genesisDigest: Buffer;
  readonly self: number;
  readonly n: number;
  lastExecuted(): number;
  /** The certificate of a batch that is still in memory: what a log that was lost cannot show. */
  recent(place: number): CertificateParts | undefined;
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
    const { sealer, answers } = this.options;
    const { from, count } = fetch;
    const lastExecuted = this.options.lastExecuted();
    const frames: Buffer[] = [];
    let bytes = 0;
    for (let place = from; place < from + count && bytes < answerBytesMax; place++) {
      const found = place > lastExecuted ? 'nothing' : (this.options.recent(place) ?? (await this.logged(place)));
      if (found === 'no proof' || (found === 'nothing' && !channel.startsWith('reply:'))) continue;
      const attachment = found === 'nothing' ? undefined : encodeCertificate(found.batch, found.commitFrames);
      const frame = sealer.seal('decided', encodeDecided({ sequence: place, lastExecuted }), attachment);
      frames.push(frame);
      bytes += frame.length;
      answers.spend(asker, workBytes);
    }
    return frames;
  }

  /** What the log shows: the certificate, that it was removed, or that it is there and proves nothing to others. */
  private async logged(place: number): Promise<CertificateParts | 'nothing' | 'no proof'> {
    const { log, genesisDigest, n, opener } = this.options;
    const hash = await log.read(place);
    if (Object.keys(hash).length === 0) return 'nothing';
    const found = certificateIn(readEntry(hash, place, genesisDigest), n, opener);
    return found ? { batch: found.batch, commitFrames: found.commits.map(({ bytes }) => bytes) } : 'no proof';
  }
}
