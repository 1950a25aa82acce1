import type {
  Checkpoint,
  Commit,
  CommittedCertificate,
  NewView,
  PhaseMessage,
  PreparedCertificate,
  PrePrepare,
  ReplicaMessage,
  ViewChange,
} from '../pbft/messages.js';
import { primaryOf } from '../pbft/quorum.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { digest, replicaIndex } from '../pbft/types.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodePhaseBody, encodePhaseBody, type PhaseHeader } from '../wire/phase.js';
import {
  decodeCertificate,
  decodeCheckpoint,
  decodeNewView,
  decodeViewChange,
  encodeCertificate,
  encodeCheckpoint,
  encodeNewView,
  encodeViewChange,
  type CertificateBody,
  type Signed,
  type ViewChangeBody,
} from '../wire/views.js';
import type { BatchBook } from './batch-book.js';

type SignedMessage = ReplicaMessage;

/** A signature, and the whole frame where it is kept: what was received anyhow, and what is too large to be encoded again and again. */
type SignedAs = Pick<Frame, 'signature'> & Partial<Pick<Frame, 'bytes'>>;

const noDigest = digest('0'.repeat(64));

export interface MessageBookOptions {
  readonly self: number;
  readonly n: number;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly batches: BatchBook;
}

/**
 * Knows the signature of every message that the core has in hand, and makes messages out of verified frames. The core
 * sees messages only; what is logged, sent again or shown to third parties is what their signer signed.
 */
export class MessageBook {
  private readonly known = new WeakMap<SignedMessage, SignedAs>();
  /** What was encoded last: our own words are logged, then sent. */
  private last: { readonly message: ReplicaMessage; readonly frame: Buffer } | undefined;

  constructor(private readonly options: MessageBookOptions) {}

  /** The message as a frame, whole, as it is logged; our own are signed here, once. */
  frameOf(message: ReplicaMessage): Buffer {
    const known = this.last?.message === message ? this.last.frame : this.known.get(message)?.bytes;
    if (known !== undefined) return known;
    const { sealer, batches } = this.options;
    const body = this.bodyOf(message);
    const attachment =
      message.kind === 'pre-prepare' && message.batch !== undefined ? batches.encode(message.batch) : Buffer.alloc(0);
    const signature = this.signatureOf(message, body);
    const frame = sealer.wrap(message.kind, body, signature, attachment, message.replica);
    if (message.kind === 'view-change' || message.kind === 'new-view')
      this.known.set(message, { signature, bytes: frame });
    // A batch may come later, and the frame with it is another one.
    if (message.kind !== 'pre-prepare' || message.batch !== undefined) this.last = { message, frame };
    return frame;
  }

  /** The message as a frame to be sent: a PRE-PREPARE names its bundles, which every replica has from the gateway. */
  saidAs(message: ReplicaMessage): Buffer {
    if (message.kind !== 'pre-prepare' || message.batch === undefined) return this.frameOf(message);
    const body = this.bodyOf(message);
    const names = this.options.batches.encodeNames(message.batch);
    return this.options.sealer.wrap(message.kind, body, this.signatureOf(message, body), names, message.replica);
  }

  /**
   * A phase message out of a frame whose signature was verified; a PRE-PREPARE with its batch, unless none is attached, or one that names a
   * bundle which we lack.
   * @param read what its body says, where the caller has read it
   */
  phaseMessage(frame: Frame, read?: PhaseHeader): PhaseMessage | RefusalReason {
    const header = read ?? headerOf(frame);
    if (typeof header === 'string') return header;
    const { kind } = header;
    if (kind !== 'pre-prepare') {
      const message: PhaseMessage = { ...header, kind };
      this.known.set(message, frame);
      return message;
    }
    const { signature, attachment } = frame;
    const batch = attachment.length === 0 ? undefined : this.options.batches.proposed(attachment, header.digest);
    if (typeof batch === 'string') return batch;
    const message: PhaseMessage = { ...header, kind, batch };
    this.known.set(message, { signature }); // what is logged holds the bundles, not their names
    return message;
  }

  /** A certificate out of a batch's bytes and COMMIT frames, whose signatures are verified here. */
  certificate(batchBytes: Buffer, commitFrames: readonly Buffer[]): CommittedCertificate | RefusalReason {
    const { opener, batches } = this.options;
    const commits: Commit[] = [];
    for (const bytes of commitFrames) {
      const frame = opener.openInner(bytes, 'commit');
      if (typeof frame === 'string') return frame;
      if (!opener.verify(frame)) return 'bad-signature';
      const message = this.phaseMessage(frame);
      if (typeof message === 'string') return message;
      if (message.kind === 'commit') commits.push(message);
    }
    const batch = batches.agreed(batchBytes);
    return typeof batch === 'string' ? batch : { kind: 'certificate', batch, commits };
  }

  /** A prepared certificate as the data folder keeps it. */
  encodePrepared(certificate: PreparedCertificate): Buffer {
    return encodeCertificate(this.certificateBody(certificate));
  }

  /** A prepared certificate out of the data folder, verified like any; the batch itself is not in it. */
  prepared(bytes: Buffer): PreparedCertificate | RefusalReason {
    const body = decoded(() => decodeCertificate(bytes));
    return typeof body === 'string' ? body : (this.provenCertificate(body) ?? 'bad-signature');
  }

  /** A CHECKPOINT out of a frame whose signature was verified. */
  checkpoint(frame: Frame): Checkpoint | RefusalReason {
    const body = decoded(() => decodeCheckpoint(frame.body));
    if (body === 'malformed-frame') return body;
    const message: Checkpoint = { kind: 'checkpoint', ...body, replica: replicaIndex(frame.signer) };
    this.known.set(message, { signature: frame.signature }); // our own is sealed again, and so known when it comes back
    return message;
  }

  /** A VIEW-CHANGE out of a frame whose signature was verified; every signature inside it is verified here. */
  viewChange(frame: Frame): ViewChange | RefusalReason {
    const body = decoded(() => decodeViewChange(frame.body));
    if (body === 'malformed-frame') return body;
    const proof = body.stable.signatures.map((signed) => this.provenCheckpoint(body.stable, signed));
    const prepared = body.prepared.map((certificate) => this.provenCertificate(certificate));
    const checkpoints = proof.filter((checkpoint) => checkpoint !== undefined);
    const certificates = prepared.filter((certificate) => certificate !== undefined);
    if (checkpoints.length < proof.length || certificates.length < prepared.length) return 'bad-signature';
    const message: ViewChange = {
      kind: 'view-change',
      view: body.view,
      replica: replicaIndex(frame.signer),
      stable: { sequence: body.stable.sequence, proof: checkpoints },
      prepared: certificates,
    };
    this.known.set(message, frame);
    return message;
  }

  /** A NEW-VIEW out of a frame whose signature was verified; every signature inside it is verified here. */
  newView(frame: Frame): NewView | RefusalReason {
    const { opener } = this.options;
    const body = decoded(() => decodeNewView(frame.body));
    if (body === 'malformed-frame') return body;
    const viewChanges: ViewChange[] = [];
    for (const bytes of body.viewChangeFrames) {
      const inner = opener.openInner(bytes, 'view-change');
      if (typeof inner === 'string') return inner;
      if (!opener.verify(inner)) return 'bad-signature';
      const viewChange = this.viewChange(inner);
      if (typeof viewChange === 'string') return viewChange;
      viewChanges.push(viewChange);
    }
    const replica = replicaIndex(frame.signer);
    const prePrepares: PrePrepare[] = [];
    for (const { sequence, digest: ordered, signature } of body.prePrepares) {
      const header = { view: body.view, sequence, digest: ordered };
      const message: PrePrepare = { kind: 'pre-prepare', ...header, replica, batch: undefined };
      if (!this.isGenuine(message, { signer: frame.signer, signature })) return 'bad-signature';
      prePrepares.push(message);
    }
    const message: NewView = { kind: 'new-view', view: body.view, replica, viewChanges, prePrepares };
    this.known.set(message, frame);
    return message;
  }

  private provenCheckpoint(of: ViewChangeBody['stable'], signed: Signed): Checkpoint | undefined {
    const replica = replicaIndex(signed.signer);
    const message: Checkpoint = { kind: 'checkpoint', sequence: of.sequence, digest: of.digest, replica };
    return this.isGenuine(message, signed) ? message : undefined;
  }

  private provenCertificate(certificate: CertificateBody): PreparedCertificate | undefined {
    const { view, sequence, digest: agreed } = certificate;
    const primary = primaryOf(view, this.options.n);
    const vote = { view, sequence, digest: agreed };
    const prePrepare: PrePrepare = { kind: 'pre-prepare', ...vote, replica: primary, batch: undefined };
    if (!this.isGenuine(prePrepare, { signer: primary, signature: certificate.prePrepare })) return undefined;
    const prepares = [];
    for (const signed of certificate.prepares) {
      const prepare = { kind: 'prepare', ...vote, replica: replicaIndex(signed.signer) } as const;
      if (!this.isGenuine(prepare, signed)) return undefined;
      prepares.push(prepare);
    }
    return { prePrepare, prepares };
  }

  /** Whether the signature is the signer's under the message, which is then known by it. */
  private isGenuine(message: PhaseMessage | Checkpoint, { signer, signature }: Signed): boolean {
    const { opener, n } = this.options;
    if (signer >= n || !opener.verify({ kind: message.kind, signer, body: this.bodyOf(message), signature }))
      return false;
    this.known.set(message, { signature });
    return true;
  }

  private signatureOf(message: SignedMessage, body: Buffer): Buffer {
    let signature = this.known.get(message)?.signature;
    if (signature === undefined) {
      if (message.replica !== this.options.self) throw new Error(`no signature of replica ${message.replica} is known`);
      signature = this.options.sealer.signatureOf(message.kind, body);
      this.known.set(message, { signature });
    }
    return signature;
  }

  /** A message's signature, as proofs hold it. */
  signedBy(message: PhaseMessage | Checkpoint): Signed {
    return { signer: message.replica, signature: this.signatureOf(message, this.bodyOf(message)) };
  }

  private bodyOf(message: SignedMessage): Buffer {
    switch (message.kind) {
      case 'pre-prepare':
      case 'prepare':
      case 'commit':
        return encodePhaseBody(message);
      case 'checkpoint':
        return encodeCheckpoint(message);
      case 'view-change':
        return this.viewChangeBody(message);
      case 'new-view':
        return this.newViewBody(message);
    }
  }

  private viewChangeBody({ view, stable, prepared }: ViewChange): Buffer {
    const signatures = stable.proof.map((checkpoint) => this.signedBy(checkpoint));
    return encodeViewChange({
      view,
      stable: { sequence: stable.sequence, digest: stable.proof[0]?.digest ?? noDigest, signatures },
      prepared: prepared.map((certificate) => this.certificateBody(certificate)),
    });
  }

  private certificateBody({ prePrepare, prepares }: PreparedCertificate): CertificateBody {
    return {
      view: prePrepare.view,
      sequence: prePrepare.sequence,
      digest: prePrepare.digest,
      prePrepare: this.signedBy(prePrepare).signature,
      prepares: prepares.map((prepare) => this.signedBy(prepare)),
    };
  }

  private newViewBody({ view, viewChanges, prePrepares }: NewView): Buffer {
    return encodeNewView({
      view,
      viewChangeFrames: viewChanges.map((viewChange) => this.frameOf(viewChange)),
      prePrepares: prePrepares.map((message) => ({
        sequence: message.sequence,
        digest: message.digest,
        signature: this.signedBy(message).signature,
      })),
    });
  }
}

function headerOf({ kind, signer, body }: Frame): PhaseHeader | RefusalReason {
  if (kind !== 'pre-prepare' && kind !== 'prepare' && kind !== 'commit') return 'unknown-kind';
  return decoded(() => decodePhaseBody(kind, signer, body));
}
