import { sha256 } from '../crypto/digest.js';
import type { CommittedCertificate, PhaseMessage, RequestBundle } from '../pbft/messages.js';
import type { RefusalReason } from '../pbft/refusal.js';
import type { Digest, View } from '../pbft/types.js';
import { decodeBundleBody, maySpeakFor } from '../wire/bundle.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeBatch, decodePhaseBody, digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../wire/phase.js';

/** Verified bundles that are remembered, so that a PRE-PREPARE does not verify what the request channel brought. */
const bundlesMax = 8192;

export interface MessageBookOptions {
  readonly opener: Opener;
  readonly sealer: Sealer;
  /** Whether an operation is one that the state machine takes. */
  isValidOperation(operation: Uint8Array): boolean;
}

/**
 * Knows the bytes of every message that the core has in hand, and makes messages out of verified bytes. The core sees
 * messages only; what is logged, sent again or shown to third parties are the very bytes that their signer signed.
 */
export class MessageBook {
  private readonly frames = new WeakMap<PhaseMessage, Buffer>();
  private readonly batches = new WeakMap<PhaseMessage | CommittedCertificate, Buffer>();
  private readonly bundleFrames = new WeakMap<RequestBundle, Buffer>();
  private readonly bundles = new Map<Digest, RequestBundle>();

  constructor(private readonly options: MessageBookOptions) {}

  /** The signed bytes of a message; our own are signed here, once. */
  frameOf(message: PhaseMessage): Buffer {
    let frame = this.frames.get(message);
    if (frame === undefined) {
      const attachment = message.kind === 'pre-prepare' ? this.batchBytes(message) : undefined;
      frame = this.options.sealer.seal(message.kind, encodePhaseBody(message), attachment);
      this.frames.set(message, frame);
    }
    return frame;
  }

  /** The bytes of a certificate's batch. */
  batchOf(certificate: CommittedCertificate): Buffer {
    const bytes = this.batches.get(certificate);
    if (bytes === undefined) throw new Error('a certificate without bytes');
    return bytes;
  }

  digestOfBatch(content: { view: View; time: number; bundles: readonly RequestBundle[] }): Digest {
    return digestOfBatchBytes(this.encode(content));
  }

  /** A phase message out of a frame whose signature was verified, with its batch if it is a PRE-PREPARE. */
  phaseMessage(frame: Frame): PhaseMessage | RefusalReason {
    const { kind } = frame;
    if (kind !== 'pre-prepare' && kind !== 'prepare' && kind !== 'commit') return 'unknown-kind';
    const header = decoded(() => decodePhaseBody(kind, frame.signer, frame.body));
    if (header === 'malformed-frame') return header;
    let message: PhaseMessage;
    if (kind === 'pre-prepare') {
      // A batch that its primary did not sign for is not worth verifying bundle by bundle.
      if (digestOfBatchBytes(frame.attachment) !== header.digest) return 'digest-mismatch';
      const batch = decoded(() => decodeBatch(frame.attachment, (bytes) => this.bundle(bytes)));
      if (typeof batch === 'string') return batch;
      message = { ...header, kind, batch };
    } else {
      message = { ...header, kind };
    }
    this.frames.set(message, frame.bytes);
    return message;
  }

  /**
   * A certificate out of a batch and COMMIT messages. The bundles' signatures need no look: q replicas committed to the
   * batch, and at least one of them is correct and has verified it.
   */
  certificate(batchBytes: Buffer, commits: readonly PhaseMessage[]): CommittedCertificate | RefusalReason {
    const batch = decoded(() => decodeBatch(batchBytes, (bytes) => this.decodeBundle(bytes)));
    if (typeof batch === 'string') return batch;
    const votes = commits.filter((commit) => commit.kind === 'commit');
    if (votes.length < commits.length) return 'invalid-certificate';
    const certificate: CommittedCertificate = { kind: 'certificate', batch, commits: votes };
    this.batches.set(certificate, batchBytes);
    return certificate;
  }

  /**
   * A bundle out of its frame, all verified: the gateway was admitted and signed it, speaks for these clients, and the
   * operations are ones that the state machine takes (rule 9).
   */
  bundle(bytes: Buffer): RequestBundle | RefusalReason {
    const id = sha256(bytes);
    const known = this.bundles.get(id);
    if (known !== undefined) return known;
    const bundle = this.decodeBundle(bytes, (frame) => this.options.opener.verify(frame));
    if (typeof bundle === 'string') return bundle;
    if (!bundle.requests.every(({ client }) => maySpeakFor(bundle.gateway, client))) return 'foreign-client';
    if (!bundle.requests.every(({ operation }) => this.options.isValidOperation(operation))) return 'invalid-operation';
    if (this.bundles.size >= bundlesMax) this.forgetOldestBundle();
    this.bundles.set(id, bundle);
    return bundle;
  }

  private decodeBundle(bytes: Buffer, isGenuine?: (frame: Frame) => boolean): RequestBundle | RefusalReason {
    const frame = this.options.opener.openInner(bytes, 'request');
    if (typeof frame === 'string') return frame;
    const contents = decoded(() => decodeBundleBody(frame.body, bytes.length));
    if (contents === 'malformed-frame') return contents;
    if (isGenuine !== undefined && !isGenuine(frame)) return 'bad-signature';
    this.bundleFrames.set(contents.bundle, bytes);
    return contents.bundle;
  }

  private forgetOldestBundle(): void {
    for (const id of this.bundles.keys()) {
      this.bundles.delete(id);
      return;
    }
  }

  private batchBytes(message: PhaseMessage & { kind: 'pre-prepare' }): Buffer {
    let bytes = this.batches.get(message);
    if (bytes === undefined) {
      bytes = this.encode(message.batch);
      this.batches.set(message, bytes);
    }
    return bytes;
  }

  private encode({ view, time, bundles }: { view: View; time: number; bundles: readonly RequestBundle[] }): Buffer {
    const frames = bundles.map((bundle) => {
      const frame = this.bundleFrames.get(bundle);
      if (frame === undefined) throw new Error('a bundle without bytes');
      return frame;
    });
    return encodeBatch(view, time, frames);
  }
}
