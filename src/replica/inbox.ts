import type { RefusalReason } from '../pbft/refusal.js';
import { replicaIndex, sequence } from '../pbft/types.js';
import type { Channel } from '../ports/bus.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, splitPacket, type Frame } from '../wire/frame.js';
import { decodePhaseBody } from '../wire/phase.js';
import { decodeCertificate, decodeDecided } from '../wire/service.js';
import { decodeCheckpoint, decodeNewView, decodeViewChange } from '../wire/views.js';
import type { BatchBook } from './batch-book.js';
import type { Host } from './host.js';
import type { MessageBook } from './message-book.js';

/** What is left to others: everything that is not agreement. */
export interface ServiceFrames {
  onStatus(frame: Frame): RefusalReason | undefined;
  onFetch(frame: Frame): RefusalReason | undefined;
  onFetchBatch(frame: Frame): RefusalReason | undefined;
  onFetchState(frame: Frame): RefusalReason | undefined;
  onStateChunk(frame: Frame): RefusalReason | undefined;
  onQuery(frame: Frame): RefusalReason | undefined;
  onProve(frame: Frame): RefusalReason | undefined;
}

export interface InboxOptions {
  readonly self: number;
  readonly host: Host;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly book: MessageBook;
  readonly batches: BatchBook;
  readonly services: ServiceFrames;
}

/**
 * Takes what arrives on the channels apart and hands the core what is verified. Cheap checks come first: size, form,
 * cluster, channel, epoch, signer, then what the core can tell from the header alone, and only then signatures
 * (rule 8). Never throws for what arrived; each frame that is not taken is counted under its reason.
 */
export class Inbox {
  constructor(private readonly options: InboxOptions) {}

  onPayload(channel: Channel, payload: Buffer): void {
    const { host } = this.options;
    const frames = splitPacket(payload);
    if (typeof frames === 'string') {
      host.refuse(frames);
      return;
    }
    for (const bytes of frames) {
      const reason = this.onFrame(channel, bytes);
      if (reason !== undefined) host.refuse(reason);
    }
  }

  private onFrame(channel: Channel, bytes: Buffer): RefusalReason | undefined {
    const { opener, host, services } = this.options;
    const frame = opener.open(bytes, channel);
    if (typeof frame === 'string') return frame;
    if (frame.kind === 'status') return services.onStatus(frame);
    if (frame.signer === this.options.self) return this.onOwn(frame);
    if (host.isOverloaded) return 'overloaded';
    switch (frame.kind) {
      case 'pre-prepare':
      case 'prepare':
      case 'commit':
        return this.onPhase(frame, frame.kind);
      case 'checkpoint':
        return this.onCheckpoint(frame);
      case 'view-change':
      case 'new-view':
        return this.onView(frame, frame.kind);
      case 'request':
        return this.onRequest(frame);
      case 'decided':
        return this.onDecided(frame);
      case 'batch':
        return this.onBatch(frame);
      case 'fetch':
        return services.onFetch(frame);
      case 'fetch-batch':
        return services.onFetchBatch(frame);
      case 'fetch-state':
        return services.onFetchState(frame);
      case 'state-chunk':
        return services.onStateChunk(frame);
      case 'query':
        return services.onQuery(frame);
      case 'prove':
        return services.onProve(frame);
      case 'reply':
      case 'query-reply':
      case 'proof':
        return 'wrong-channel';
    }
  }

  /** Our own words come back to us. What only says that it is ours is somebody else's. */
  private onOwn(frame: Frame): RefusalReason | undefined {
    const { opener, sealer } = this.options;
    if (sealer.hasMade(frame)) return undefined;
    return opener.verify(frame) ? 'duplicate' : 'bad-signature';
  }

  private onPhase(frame: Frame, kind: 'pre-prepare' | 'prepare' | 'commit'): RefusalReason | undefined {
    const { host, opener, book } = this.options;
    const header = decoded(() => decodePhaseBody(kind, frame.signer, frame.body));
    if (header === 'malformed-frame') return header;
    const reason = host.replica.screen(header);
    if (reason !== undefined) return reason;
    if (!opener.verify(frame)) return 'bad-signature';
    const message = book.phaseMessage(frame, header);
    if (typeof message === 'string') return message;
    host.step({ kind: 'message', message });
    return undefined;
  }

  private onCheckpoint(frame: Frame): RefusalReason | undefined {
    const { host, opener, book } = this.options;
    const body = decoded(() => decodeCheckpoint(frame.body));
    if (body === 'malformed-frame') return body;
    const reason = host.replica.screenCheckpoint(body.sequence, replicaIndex(frame.signer));
    if (reason !== undefined) return reason;
    if (!opener.verify(frame)) return 'bad-signature';
    const message = book.checkpoint(frame);
    if (typeof message === 'string') return message;
    host.step({ kind: 'message', message });
    return undefined;
  }

  private onView(frame: Frame, kind: 'view-change' | 'new-view'): RefusalReason | undefined {
    const { host, opener, book } = this.options;
    const body = decoded(() => (kind === 'view-change' ? decodeViewChange(frame.body) : decodeNewView(frame.body)));
    if (body === 'malformed-frame') return body;
    const reason = host.replica.screenView(kind, body.view, replicaIndex(frame.signer));
    if (reason !== undefined) return reason;
    if (!opener.verify(frame)) return 'bad-signature';
    const message = kind === 'view-change' ? book.viewChange(frame) : book.newView(frame);
    if (typeof message === 'string') return message;
    host.step({ kind: 'message', message });
    return undefined;
  }

  private onRequest(frame: Frame): RefusalReason | undefined {
    const bundle = this.options.batches.bundle(frame.bytes);
    if (typeof bundle === 'string') return bundle;
    this.options.host.step({ kind: 'request', bundle });
    return undefined;
  }

  private onDecided(frame: Frame): RefusalReason | undefined {
    const { host, opener, book } = this.options;
    const decided = decoded(() => decodeDecided(frame.body));
    if (decided === 'malformed-frame') return decided;
    if (host.replica.isCommitted(sequence(decided.sequence))) return 'duplicate';
    if (!opener.verify(frame)) return 'bad-signature';
    const parts = decoded(() => decodeCertificate(frame.attachment));
    if (parts === 'malformed-frame') return parts;
    const certificate = book.certificate(parts.batch, parts.commitFrames);
    if (typeof certificate === 'string') return certificate;
    host.step({ kind: 'certificate', certificate });
    return undefined;
  }

  /** A batch is known by its digest: who sent it does not matter, but must be one of us. */
  private onBatch(frame: Frame): RefusalReason | undefined {
    const { host, opener, batches } = this.options;
    const body = decoded(() => decodeCheckpoint(frame.body));
    if (body === 'malformed-frame') return body;
    if (!host.replica.wantsBatch(body.sequence, body.digest)) return 'duplicate';
    if (!opener.verify(frame)) return 'bad-signature';
    const batch = batches.proposed(frame.attachment, body.digest);
    if (typeof batch === 'string') return batch;
    if (batch === undefined) return 'digest-mismatch'; // it names what we lack, who have asked for it
    host.step({ kind: 'batch', sequence: body.sequence, batch });
    return undefined;
  }
}
