import { limits } from '../pbft/configuration.js';
import type { Batch, PhaseMessage, RequestBundle } from '../pbft/messages.js';
import { replicaIndex, sequence, view, type Digest, type View } from '../pbft/types.js';
import { sha256Bytes } from '../crypto/digest.js';
import { signatureBytes } from '../crypto/ed25519.js';
import { digest as asDigest } from '../pbft/types.js';
import { Reader, Writer, demand } from './bytes.js';
import { voteBodyBytes } from './kinds.js';

/** The header that all three phases sign: u64 view ‖ u64 sequence ‖ 32 bytes batch digest. */
export type PhaseHeader = Pick<PhaseMessage, 'kind' | 'view' | 'sequence' | 'digest' | 'replica'>;

const batchDomain = Buffer.from('quorate/1/batch\0', 'ascii');

export function encodePhaseBody(header: Pick<PhaseHeader, 'view' | 'sequence' | 'digest'>): Buffer {
  return new Writer(voteBodyBytes).u64(header.view).u64(header.sequence).digest(header.digest).done();
}

/** @throws {Malformed} */
export function decodePhaseBody(kind: PhaseHeader['kind'], signer: number, body: Buffer): PhaseHeader {
  const reader = new Reader(body);
  const header = {
    kind,
    view: view(reader.u64()),
    sequence: sequence(reader.u64()),
    digest: reader.digest(),
    replica: replicaIndex(signer),
  };
  reader.end();
  demand(header.sequence > 0, 'sequence numbers begin with 1');
  return header;
}

/**
 * A batch's bytes: u64 view ‖ u64 time ‖ u16 count ‖ count × (u32 length ‖ the bundle's frame as its gateway signed it). With names among the
 * bundles it is a `Proposal`.
 */
export function encodeBatch(view: View, time: number, bundles: readonly Uint8Array[]): Buffer {
  const room = bundles.reduce((bytes, bundle) => bytes + 4 + bundle.length, 8 + 8 + 2);
  const writer = new Writer(room).u64(view).u64(time);
  return writer.list(bundles, (bundle) => writer.blob(bundle)).done();
}

/** SHA-256 over a domain tag and the batch's bytes: the digest d of the paper's ⟨PRE-PREPARE, v, n, d⟩. */
export function digestOfBatchBytes(batch: Uint8Array): Digest {
  return asDigest(sha256Bytes(batchDomain, batch).toString('hex'));
}

/**
 * What comes with a PRE-PREPARE on the bus: the batch, with a name in a bundle's place wherever every replica should have the bundle. Its
 * name is its gateway's signature. No digest is of these bytes: what the primary has signed is that of the whole batch.
 */
export interface Proposal extends Pick<Batch, 'view' | 'time'> {
  /** Each a bundle's frame, or its name. */
  readonly bundles: readonly Buffer[];
}

/** Whether it is a bundle's name; a frame is longer. */
export function isBundleName({ length }: Uint8Array): boolean {
  return length === signatureBytes;
}

/** @throws {Malformed} */
export function decodeProposal(bytes: Buffer): Proposal {
  const reader = new Reader(bytes);
  const proposal = {
    view: view(reader.u64()),
    time: reader.u64(),
    bundles: reader.list(limits.batchOperationsMax, () => reader.blob(limits.bundleBytesMax)),
  };
  reader.end();
  return proposal;
}

/**
 * A batch out of its bytes. `bundleOf` turns a bundle's frame into a verified bundle.
 * @throws {Malformed}
 */
export function decodeBatch<R extends string>(
  bytes: Buffer,
  bundleOf: (frame: Buffer) => RequestBundle | R,
): Batch | R {
  const { bundles: frames, ...place } = decodeProposal(bytes);
  const bundles: RequestBundle[] = [];
  for (const frame of frames) {
    const bundle = bundleOf(frame);
    if (typeof bundle === 'string') return bundle;
    bundles.push(bundle);
  }
  return { ...place, bundles, digest: digestOfBatchBytes(bytes) };
}
