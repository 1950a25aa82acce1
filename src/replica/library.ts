import type { Channel } from '../ports/bus.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Sealer } from '../wire/envelope.js';
import { encodeCertificate, encodeDecided, type Fetch } from '../wire/service.js';
import type { Answers } from './answers.js';
import { certificateIn, readEntry } from './log-entries.js';

/** Fetches that wait to be served; further ones are dropped and asked again. */
const waitingMax = 8;
/** Bytes of batches that one answer carries; the asker fetches the rest next. */
const answerBytesMax = 2 * 1024 * 1024;

/** A batch's bytes, and q COMMIT frames for it. */
export interface CertificateParts {
  readonly batch: Buffer;
  readonly commitFrames: readonly Buffer[];
}

export interface LibraryOptions {
  readonly log: MessageLog;
  readonly sealer: Sealer;
  readonly genesisDigest: Buffer;
  readonly n: number;
  lastExecuted(): number;
  /** The certificate of a batch that is still in memory: what a log that was lost cannot show. */
  recent(place: number): CertificateParts | undefined;
  readonly answers: Answers;
}

/** Hands committed batches with their certificates to peers and gateways, one request at a time, out of the log. */
export class Library {
  private readonly waiting: { readonly asker: number; readonly fetch: Fetch; readonly channel: Channel }[] = [];
  private isServing = false;

  constructor(private readonly options: LibraryOptions) {}

  /** @returns whether the request is taken. */
  request(asker: number, fetch: Fetch, channel: Channel): boolean {
    if (this.waiting.length >= waitingMax) return false;
    this.waiting.push({ asker, fetch, channel });
    if (!this.isServing) void this.serveAll();
    return true;
  }

  private async serveAll(): Promise<void> {
    this.isServing = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      // A log that cannot be read now serves nobody; whoever asked asks another replica.
      const frames = await this.answer(next.fetch, next.channel).catch(() => []);
      this.options.answers.send(next.asker, next.channel, frames);
    }
    this.isServing = false;
  }

  private async answer({ from, count }: Fetch, channel: Channel): Promise<Buffer[]> {
    const { sealer } = this.options;
    const lastExecuted = this.options.lastExecuted();
    const frames: Buffer[] = [];
    let bytes = 0;
    for (let place = from; place < from + count && bytes < answerBytesMax; place++) {
      const found = place > lastExecuted ? undefined : (this.options.recent(place) ?? (await this.logged(place)));
      if (found === undefined && !channel.startsWith('reply:')) continue;
      const attachment = found && encodeCertificate(found.batch, found.commitFrames);
      const frame = sealer.seal('decided', encodeDecided({ sequence: place, lastExecuted }), attachment);
      frames.push(frame);
      bytes += frame.length;
    }
    return frames;
  }

  private async logged(place: number): Promise<CertificateParts | undefined> {
    const { log, genesisDigest, n } = this.options;
    const found = certificateIn(readEntry(await log.read(place), place, genesisDigest), n);
    return found && { batch: found.batch, commitFrames: found.commits.map(({ bytes }) => bytes) };
  }
}
