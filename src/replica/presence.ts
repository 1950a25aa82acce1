import type { RefusalReason } from '../pbft/refusal.js';
import type { Publication } from '../ports/bus.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeStatus, encodeStatus, incarnationBytes, type Status } from '../wire/service.js';
import { packets } from '../wire/packets.js';

const none = '00'.repeat(incarnationBytes);

export interface PresenceOptions {
  readonly self: number;
  readonly n: number;
  /** Random, 8 bytes as hexadecimal digits, drawn anew by each process. */
  readonly incarnation: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly opener: Opener;
  readonly sealer: Sealer;
  /** The rest of what a status says. */
  describe(): Omit<Status, 'incarnation' | 'rival' | 'startedAt' | 'heard'>;
  announce(publications: readonly Publication[]): void;
  /** A peer's word on itself; `isFresh` when it was given after the peer had heard of this process. */
  onPeer(replica: number, status: Status, isFresh: boolean): void;
  /** A living process has the same identity, and this one is the younger: it must end (rule 35). */
  onTwin(): void;
}

/**
 * Tells everybody how this replica is, and notices a second process with its identity. A twin must answer to this very
 * incarnation before it is believed in: whoever runs Redis can replay an old status, but not make one that knows a
 * number drawn just now.
 */
export class Presence {
  private rival = none;
  private readonly heard: string[];
  /** Until it votes, a process gives way to any living twin. */
  isProbing = true;

  constructor(private readonly options: PresenceOptions) {
    this.heard = Array.from({ length: options.n }, () => none);
  }

  announce(): void {
    const { incarnation, startedAt, sealer } = this.options;
    const status = { ...this.options.describe(), incarnation, startedAt, rival: this.rival, heard: this.heard };
    this.options.announce(packets('status', [sealer.seal('status', encodeStatus(status))]));
  }

  onStatus(frame: Frame): RefusalReason | undefined {
    const isOwn = frame.signer === this.options.self;
    if (isOwn && this.options.sealer.hasMade(frame)) return undefined;
    const status = decoded(() => decodeStatus(frame.body));
    if (status === 'malformed-frame') return status;
    if (!this.options.opener.verify(frame)) return 'bad-signature';
    if (isOwn && status.incarnation === this.options.incarnation) return 'duplicate';
    if (isOwn) this.onOwnIdentity(status);
    else this.onPeer(frame.signer, status);
    return undefined;
  }

  private onPeer(replica: number, status: Status): void {
    this.heard[replica] = status.incarnation;
    const { self, incarnation } = this.options;
    this.options.onPeer(replica, status, status.heard[self] === incarnation);
  }

  private onOwnIdentity(status: Status): void {
    const { incarnation, startedAt } = this.options;
    if (status.rival === incarnation) {
      const isYounger =
        startedAt > status.startedAt || (startedAt === status.startedAt && incarnation > status.incarnation);
      if (this.isProbing || isYounger) this.options.onTwin();
      return;
    }
    if (this.rival === status.incarnation) return; // answered already; a replay gets no second answer
    this.rival = status.incarnation;
    this.announce();
  }
}
