import type { Channel, Publication } from '../ports/bus.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Sealer } from '../wire/envelope.js';
import { encodeCertificate, encodeDecided, type Fetch } from '../wire/service.js';
import { certificateIn, readEntry } from './log-entries.js';
import { packets } from '../wire/packets.js';

/** Fetches that wait to be served; further ones are dropped and asked again. */
const waitingMax = 8;
/** Bytes of batches that one answer carries; the asker fetches the rest next. */
const answerBytesMax = 2 * 1024 * 1024;

export interface LibraryOptions {
  readonly log: MessageLog;
  readonly sealer: Sealer;
  readonly genesisDigest: Buffer;
  readonly n: number;
  lastExecuted(): number;
  announce(publications: readonly Publication[]): void;
}

/** Hands committed batches with their certificates to peers and gateways, one request at a time, out of the log. */
export class Library {
  private readonly waiting: { readonly fetch: Fetch; readonly channel: Channel }[] = [];
  private isServing = false;

  constructor(private readonly options: LibraryOptions) {}

  /** @returns whether the request is taken. */
  request(fetch: Fetch, channel: Channel): boolean {
    if (this.waiting.length >= waitingMax) return false;
    this.waiting.push({ fetch, channel });
    if (!this.isServing) void this.serveAll();
    return true;
  }

  private async serveAll(): Promise<void> {
    this.isServing = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      // A log that cannot be read now serves nobody; whoever asked asks another replica.
      const frames = await this.answer(next.fetch, next.channel).catch(() => []);
      this.options.announce(packets(next.channel, frames));
    }
    this.isServing = false;
  }

  private async answer({ from, count }: Fetch, channel: Channel): Promise<Buffer[]> {
    const { log, genesisDigest, n, sealer } = this.options;
    const lastExecuted = this.options.lastExecuted();
    const frames: Buffer[] = [];
    let bytes = 0;
    for (let place = from; place < from + count && bytes < answerBytesMax; place++) {
      const entry = place > lastExecuted ? undefined : readEntry(await log.read(place), place, genesisDigest);
      const found = entry && certificateIn(entry, n);
      if (found === undefined && !channel.startsWith('reply:')) continue;
      const attachment =
        found &&
        encodeCertificate(
          found.batch,
          found.commits.map((commit) => commit.bytes),
        );
      const frame = sealer.seal('decided', encodeDecided({ sequence: place, lastExecuted }), attachment);
      frames.push(frame);
      bytes += frame.length;
    }
    return frames;
  }
}
