import { limits } from '../pbft/configuration.js';
import type { Batch, RequestBundle } from '../pbft/messages.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { view, type Digest } from '../pbft/types.js';
import { decodeBundleBody, letGoOfRequests, maySpeakFor } from '../wire/bundle.js';
import type { Opener } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeBatch, decodeProposal, digestOfBatchBytes, encodeBatch, isBundleName } from '../wire/phase.js';
import { Recent } from '../wire/recent.js';

/**
 * Verified bundles that are remembered at most, since a PRE-PREPARE only names what the request channel brought. At least half of it is: as
 * many as may wait at the primary.
 */
const bundlesMax = 2 * limits.waitingBundlesMax;
const bundleBytesMax = 2 * limits.waitingBytesMax;

/** The batch without requests, as every replica makes it (paper §4.4). */
export const nullBatch: Batch = {
  view: view(0),
  time: 0,
  bundles: [],
  digest: digestOfBatchBytes(encodeBatch(view(0), 0, [])),
};

export interface BatchBookOptions {
  readonly opener: Opener;
  /** What the state machine makes of an operation; `undefined` when it does not take it. */
  decodeOperation(operation: Uint8Array): unknown;
}

/** Makes bundles and batches out of verified bytes, and knows the bytes of each. */
export class BatchBook {
  private readonly frames = new WeakMap<RequestBundle, Pick<Frame, 'bytes' | 'signature'>>();
  /** By their signatures, as Latin-1. */
  private readonly bundles = new Recent<RequestBundle>(bundlesMax, bundleBytesMax);

  constructor(private readonly options: BatchBookOptions) {}

  /**
   * A bundle out of its frame, all verified: the gateway was admitted and signed it, speaks for these clients, and the
   * operations are ones that the state machine takes (rule 9).
   */
  bundle(bytes: Buffer): RequestBundle | RefusalReason {
    // No batch that holds it whole could be read, in a log or a certificate, though its name were agreed on.
    if (bytes.length > limits.bundleBytesMax) return 'oversized-frame';
    const frame = this.options.opener.openInner(bytes, 'request');
    if (typeof frame === 'string') return frame;
    const id = frame.signature.toString('latin1');
    const known = this.bundles.get(id);
    if (known !== undefined && this.frameOf(known).equals(bytes)) {
      this.bundles.add(id, known, known.size); // among the youngest again: it still waits
      return known;
    }
    const bundle = this.decodeBundle(frame, true);
    if (typeof bundle === 'string') return bundle;
    if (!bundle.requests.every(({ client }) => maySpeakFor(bundle.gateway, client))) return 'foreign-client';
    for (const request of bundle.requests) {
      request.decoded = this.options.decodeOperation(request.operation);
      if (request.decoded === undefined) return 'invalid-operation';
    }
    this.bundles.add(id, bundle, bundle.size);
    return bundle;
  }

  /** The frame that a bundle came in. */
  frameOf(bundle: RequestBundle): Buffer {
    return this.known(bundle).bytes;
  }

  /**
   * The batch with this digest, every bundle verified, out of what came with its PRE-PREPARE or in answer to a FETCH-BATCH; `undefined` where
   * that names a bundle which we lack. No bundle is verified that the digest, which the primary has signed for, is not of.
   */
  proposed(attachment: Buffer, agreed: Digest): Batch | RefusalReason | undefined {
    const proposal = decoded(() => decodeProposal(attachment));
    if (proposal === 'malformed-frame') return proposal;
    const found: (RequestBundle | Buffer)[] = [];
    for (const item of proposal.bundles) {
      const bundle = isBundleName(item) ? this.bundles.get(item.toString('latin1')) : item;
      if (bundle === undefined) return undefined;
      found.push(bundle);
    }
    const frames = found.map((bundle) => (Buffer.isBuffer(bundle) ? bundle : this.frameOf(bundle)));
    // A name is short, and may be said again and again: what no backup would prepare is not put together to be hashed.
    if (frames.reduce((bytes, { length }) => bytes + length, 0) > limits.batchBytesMax) return 'batch-too-large';
    if (digestOfBatchBytes(encodeBatch(proposal.view, proposal.time, frames)) !== agreed) return 'digest-mismatch';
    const bundles: RequestBundle[] = [];
    for (const item of found) {
      const bundle = Buffer.isBuffer(item) ? this.bundle(item) : item;
      if (typeof bundle === 'string') return bundle;
      bundles.push(bundle);
    }
    return { ...proposal, bundles, digest: agreed };
  }

  /**
   * A batch that q replicas have committed to: at least one of them is correct and has verified its bundles, so that
   * only their form is looked at.
   */
  agreed(bytes: Buffer): Batch | RefusalReason {
    return decoded(() =>
      decodeBatch(bytes, (inner) => {
        const frame = this.options.opener.openInner(inner, 'request');
        return typeof frame === 'string' ? frame : this.decodeBundle(frame, false);
      }),
    );
  }

  /** The batch was executed. */
  executed({ bundles }: Batch): void {
    bundles.forEach(letGoOfRequests);
  }

  encode({ view: proposedIn, time, bundles }: Pick<Batch, 'view' | 'time' | 'bundles'>): Buffer {
    return encodeBatch(
      proposedIn,
      time,
      bundles.map((bundle) => this.frameOf(bundle)),
    );
  }

  /** What goes with its PRE-PREPARE: names, since every replica has the bundles from the gateway. */
  encodeNames({ view: proposedIn, time, bundles }: Pick<Batch, 'view' | 'time' | 'bundles'>): Buffer {
    return encodeBatch(
      proposedIn,
      time,
      bundles.map((bundle) => this.known(bundle).signature),
    );
  }

  digestOf(content: Pick<Batch, 'view' | 'time' | 'bundles'>): Digest {
    return digestOfBatchBytes(this.encode(content));
  }

  private decodeBundle(frame: Frame, isToBeVerified: boolean): RequestBundle | RefusalReason {
    const contents = decoded(() => decodeBundleBody(frame.body, frame.bytes.length));
    if (contents === 'malformed-frame') return contents;
    if (isToBeVerified && !this.options.opener.verify(frame, contents.bundle.digest)) return 'bad-signature';
    this.frames.set(contents.bundle, { bytes: frame.bytes, signature: frame.signature });
    return contents.bundle;
  }

  private known(bundle: RequestBundle): Pick<Frame, 'bytes' | 'signature'> {
    const frame = this.frames.get(bundle);
    if (frame === undefined) throw new Error('a bundle without bytes');
    return frame;
  }
}
