import type { RefusalReason } from '../pbft/refusal.js';
import { sequence } from '../pbft/types.js';
import type { Channel } from '../ports/bus.js';
import type { Opener } from '../wire/envelope.js';
import { decoded, splitPacket, type Frame } from '../wire/frame.js';
import { decodePhaseBody } from '../wire/phase.js';
import { decodeCertificate, decodeDecided } from '../wire/service.js';
import type { Host } from './host.js';
import type { MessageBook } from './message-book.js';

/** What is left to others: everything that is not agreement. */
export interface ServiceFrames {
  onStatus(frame: Frame): RefusalReason | undefined;
  onFetch(frame: Frame): RefusalReason | undefined;
  onQuery(frame: Frame): RefusalReason | undefined;
}

/**
 * Takes what arrives on the channels apart and hands the core what is verified. Cheap checks come first: size, form,
 * cluster, channel, epoch, signer, then what the core can tell from the header alone, and only then the signature
 * (rule 8). Never throws for what arrived; each frame that is not taken is counted under its reason.
 */
export class Inbox {
  constructor(
    private readonly self: number,
    private readonly host: Host,
    private readonly opener: Opener,
    private readonly book: MessageBook,
    private readonly services: ServiceFrames,
  ) {}

  onPayload(channel: Channel, payload: Buffer): void {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') {
      this.host.refuse(frames);
      return;
    }
    for (const bytes of frames) {
      const reason = this.onFrame(channel, bytes);
      if (reason !== undefined) this.host.refuse(reason);
    }
  }

  private onFrame(channel: Channel, bytes: Buffer): RefusalReason | undefined {
    const frame = this.opener.open(bytes, channel);
    if (typeof frame === 'string') return frame;
    if (this.host.isOverloaded && frame.kind !== 'status') return 'overloaded';
    switch (frame.kind) {
      case 'pre-prepare':
      case 'prepare':
      case 'commit':
        return this.onPhase(frame, frame.kind);
      case 'request':
        return this.onRequest(frame);
      case 'decided':
        return this.onDecided(frame);
      case 'status':
        return this.services.onStatus(frame);
      case 'fetch':
        return this.services.onFetch(frame);
      case 'query':
        return this.services.onQuery(frame);
      case 'reply':
      case 'query-reply':
      case 'checkpoint':
      case 'view-change':
      case 'new-view':
        return 'wrong-channel';
    }
  }

  private onPhase(frame: Frame, kind: 'pre-prepare' | 'prepare' | 'commit'): RefusalReason | undefined {
    if (frame.signer === this.self) return undefined; // our own words come back to us; the core has them already
    const header = decoded(() => decodePhaseBody(kind, frame.signer, frame.body));
    if (header === 'malformed-frame') return header;
    const reason = this.host.replica.screen(header);
    if (reason !== undefined) return reason;
    if (!this.opener.verify(frame)) return 'bad-signature';
    const message = this.book.phaseMessage(frame);
    if (typeof message === 'string') return message;
    this.host.step({ kind: 'message', message });
    return undefined;
  }

  private onRequest(frame: Frame): RefusalReason | undefined {
    const bundle = this.book.bundle(frame.bytes);
    if (typeof bundle === 'string') return bundle;
    this.host.step({ kind: 'request', bundle });
    return undefined;
  }

  private onDecided(frame: Frame): RefusalReason | undefined {
    if (frame.signer === this.self) return undefined;
    const decided = decoded(() => decodeDecided(frame.body));
    if (decided === 'malformed-frame') return decided;
    const { replica } = this.host;
    if (replica.isCommitted(sequence(decided.sequence))) return 'duplicate';
    if (decided.sequence > replica.highWaterMark) return 'outside-window';
    if (!this.opener.verify(frame)) return 'bad-signature';
    const parts = decoded(() => decodeCertificate(frame.attachment));
    if (parts === 'malformed-frame') return parts;
    const commits = [];
    for (const bytes of parts.commitFrames) {
      const commit = this.opener.openInner(bytes, 'commit');
      if (typeof commit === 'string') return commit;
      if (!this.opener.verify(commit)) return 'bad-signature';
      const message = this.book.phaseMessage(commit);
      if (typeof message === 'string') return message;
      commits.push(message);
    }
    const certificate = this.book.certificate(parts.batch, commits);
    if (typeof certificate === 'string') return certificate;
    this.host.step({ kind: 'certificate', certificate });
    return undefined;
  }
}
