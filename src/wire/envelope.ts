import { sha256 } from '../crypto/digest.js';
import { preamble } from '../crypto/genesis.js';
import type { Channel } from '../ports/bus.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { replicaIndex, type Digest } from '../pbft/types.js';
import { Reader } from './bytes.js';
import { readCredential } from './credential.js';
import { decoded, decodeFrame, encodeFrame, gatewaySigner, type Frame } from './frame.js';
import { isVote, type Kind } from './kinds.js';
import { VoteSigner, VoteVerifier } from './pledges.js';
import { Recent } from './recent.js';

/** The cluster that frames are sealed for: what the preamble of every signature is made of. */
export interface ClusterContext {
  readonly genesisDigest: Buffer;
  readonly epoch: number;
  readonly n: number;
}

type Signed = Pick<Frame, 'kind' | 'signer' | 'body' | 'signature'>;

const noAttachment = Buffer.alloc(0);

/** Frames of ours that are remembered, so that they are known when the bus brings them back. */
const rememberedMax = 8192;
/** A frame that is no longer is remembered as it is: to hash it takes several times as long. */
const shortBytesMax = 256;

/**
 * What is signed by the SHA-256 of its body: a bundle, which may be large, and of which that is known anyway. Signing itself reads its message
 * twice, by SHA-512.
 */
const signedByDigest: ReadonlySet<Kind> = new Set<Kind>(['request']);

/** The preambles of a cluster, made once for each kind: they begin all that is signed and verified. */
class Preambles {
  private readonly byKind = new Map<Kind, Buffer>();

  constructor(private readonly context: ClusterContext) {}

  /** The bytes that are signed. `bodyDigest` is the body's, where it is known; it counts only for what is signed by digest. */
  signedBytes(kind: Kind, body: Buffer, bodyDigest?: Digest): Buffer {
    if (!signedByDigest.has(kind)) return this.before(kind, body);
    return this.before(kind, Buffer.from(bodyDigest ?? sha256(body), 'hex'));
  }

  /** What all that is signed as this kind begins with. */
  of(kind: Kind): Buffer {
    let bytes = this.byKind.get(kind);
    if (bytes === undefined) {
      bytes = preamble(this.context.genesisDigest, this.context.epoch, kind);
      this.byKind.set(kind, bytes);
    }
    return bytes;
  }

  private before(kind: Kind, said: Buffer): Buffer {
    const bytes = this.of(kind);
    return Buffer.concat([bytes, said], bytes.length + said.length);
  }
}

/** Makes signed frames of one signer. */
export class Sealer {
  private readonly made = new Recent<true>(rememberedMax);
  private readonly preambles: Preambles;
  private readonly votes: VoteSigner;

  constructor(
    private readonly context: ClusterContext,
    private readonly signer: Signer,
    /** A replica's index, or `gatewaySigner`. */
    private readonly index: number,
  ) {
    this.preambles = new Preambles(context);
    this.votes = new VoteSigner(signer, (kind) => this.preambles.of(kind), index, context.n);
  }

  seal(kind: Kind, body: Buffer, attachment: Buffer = noAttachment): Buffer {
    return this.wrap(kind, body, this.signatureOf(kind, body), attachment);
  }

  signatureOf(kind: Kind, body: Buffer): Buffer {
    return isVote(kind) ? this.votes.signatureOf(kind, body) : this.signer.sign(this.preambles.signedBytes(kind, body));
  }

  /** A frame with a signature made before, perhaps by another: the signature does not cover the attachment. */
  wrap(kind: Kind, body: Buffer, signature: Buffer, attachment: Buffer, signer = this.index): Buffer {
    const { genesisDigest, epoch } = this.context;
    const frame = encodeFrame({ kind, epoch, signer, body, signature, attachment, genesisDigest });
    if (signer === this.index && comesBack(kind)) this.made.add(fingerprintOf(frame, attachment), true);
    return frame;
  }

  /** Whether we made this frame lately. Its attachment, which our signature does not cover, is not looked at. */
  hasMade({ bytes, attachment }: Pick<Frame, 'bytes' | 'attachment'>): boolean {
    return this.made.has(fingerprintOf(bytes, attachment));
  }
}

/** Whether who makes such a frame listens where it is published: no gateway does, and to replies nobody else. */
function comesBack(kind: Kind): boolean {
  return kind !== 'reply' && kind !== 'request';
}

/** What tells a frame from all others, but for its attachment: itself where it is short, as votes are, else its SHA-256. */
function fingerprintOf(frame: Buffer, attachment: Buffer): string {
  const length = frame.length - attachment.length;
  return length <= shortBytesMax ? frame.toString('latin1', 0, length) : sha256(frame.subarray(0, length));
}

/** Which kinds a channel carries, and who may speak on it. A frame on another channel is refused unread. */
const kindsOnChannel: Readonly<Record<string, readonly Kind[]>> = {
  request: ['request', 'query', 'fetch', 'prove'],
  'pre-prepare': ['pre-prepare'],
  prepare: ['prepare'],
  commit: ['commit'],
  checkpoint: ['checkpoint'],
  'view-change': ['view-change'],
  'new-view': ['new-view'],
  status: ['status'],
  state: ['fetch', 'decided', 'fetch-batch', 'batch', 'fetch-state', 'state-chunk'],
  reply: ['reply', 'query-reply', 'decided', 'proof'],
};

const gatewayKinds: readonly Kind[] = ['request', 'query', 'fetch', 'prove'];
/** And these nobody else. */
const onlyGatewayKinds: readonly Kind[] = ['request', 'query', 'prove'];
/** Only these have an attachment. */
const carryingKinds: readonly Kind[] = ['pre-prepare', 'reply', 'decided', 'batch', 'state-chunk', 'proof'];

/** Takes frames apart, cheapest checks first (rule 8). */
export class Opener {
  private readonly preambles: Preambles;
  private readonly votes: VoteVerifier;
  /** Of the channels that are subscribed to. */
  private readonly kindsByChannel = new Map<Channel, readonly Kind[]>();

  constructor(
    private readonly context: ClusterContext,
    private readonly verifier: Verifier,
  ) {
    this.preambles = new Preambles(context);
    this.votes = new VoteVerifier(verifier, (kind) => this.preambles.of(kind), context.n);
  }

  /** The frame, if it is of this cluster and epoch and may be on this channel. Its signature is not looked at yet. */
  open(bytes: Buffer, channel: Channel): Frame | RefusalReason {
    const frame = decodeFrame(bytes, this.context.genesisDigest);
    if (typeof frame === 'string') return frame;
    if (!this.kindsOf(channel).includes(frame.kind)) return 'wrong-channel';
    return this.checkOrigin(frame);
  }

  /** As `open`, for a frame that was inside another one. */
  openInner(bytes: Buffer, kind: Kind): Frame | RefusalReason {
    const frame = decodeFrame(bytes, this.context.genesisDigest);
    if (typeof frame === 'string') return frame;
    return frame.kind === kind ? this.checkOrigin(frame) : 'wrong-channel';
  }

  /** Whether the signer that the frame names has signed it. `bodyDigest` is its body's SHA-256, where the caller has computed it. */
  verify({ kind, signer, body, signature }: Signed, bodyDigest?: Digest): boolean {
    if (isVote(kind)) return this.votes.verify(kind, signer, body, signature);
    const message = this.preambles.signedBytes(kind, body, bodyDigest);
    if (signer !== gatewaySigner) return this.verifier.verifyReplica(replicaIndex(signer), message, signature);
    const credential = decoded(() => readCredential(new Reader(body)));
    return credential !== 'malformed-frame' && this.verifier.verifyGateway(credential, message, signature);
  }

  private kindsOf(channel: Channel): readonly Kind[] {
    let kinds = this.kindsByChannel.get(channel);
    if (kinds === undefined) {
      kinds = kindsOnChannel[channel.split(':', 1)[0] ?? ''] ?? [];
      this.kindsByChannel.set(channel, kinds);
    }
    return kinds;
  }

  private checkOrigin(frame: Frame): Frame | RefusalReason {
    if (frame.epoch !== this.context.epoch) return 'wrong-epoch';
    const isGateway = frame.signer === gatewaySigner;
    if (!isGateway && frame.signer >= this.context.n) return 'unknown-signer';
    if (isGateway ? !gatewayKinds.includes(frame.kind) : onlyGatewayKinds.includes(frame.kind)) {
      return 'unknown-signer';
    }
    if (!carryingKinds.includes(frame.kind) && frame.attachment.length > 0) return 'malformed-frame';
    return frame;
  }
}
