import { signatureBytes } from '../crypto/ed25519.js';
import { quorumSize, replicasMax } from '../pbft/quorum.js';
import { sequence, view, type Digest, type SequenceNumber, type View } from '../pbft/types.js';
import { Reader, Writer, demand } from './bytes.js';
import { frameBytesMax } from './frame.js';
import { voteSignatureBytes } from './kinds.js';

/**
 * The bodies of CHECKPOINT, VIEW-CHANGE and NEW-VIEW. A proof holds what its messages have in common once, and of each
 * message only the signer and the signature: the signed bytes follow from both.
 */

/** A signature and the index of the replica that made it. */
export interface Signed {
  readonly signer: number;
  readonly signature: Buffer;
}

export interface CheckpointBody {
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

export function encodeCheckpoint(checkpoint: CheckpointBody): Buffer {
  return new Writer().u64(checkpoint.sequence).digest(checkpoint.digest).done();
}

/** @throws {Malformed} */
export function decodeCheckpoint(body: Buffer): CheckpointBody {
  const reader = new Reader(body);
  const checkpoint = { sequence: sequence(reader.u64()), digest: reader.digest() };
  reader.end();
  return checkpoint;
}

/** A prepared certificate: (view, sequence, digest), the primary's signature under PRE-PREPARE, backups' under PREPARE. */
export interface CertificateBody extends CheckpointBody {
  readonly view: View;
  readonly prePrepare: Buffer;
  readonly prepares: readonly Signed[];
}

/**
 * u64 view ‖ stable checkpoint (u64 sequence ‖ digest ‖ signatures) ‖ u16 count × certificate (u64 view ‖ u64 sequence
 * ‖ digest ‖ signature ‖ signatures), where signatures = u16 count × (u16 signer ‖ 64 bytes, of a vote 96). A checkpoint at 0
 * has a digest of zeros and no signatures.
 */
export interface ViewChangeBody {
  readonly view: View;
  readonly stable: CheckpointBody & { readonly signatures: readonly Signed[] };
  readonly prepared: readonly CertificateBody[];
}

/** Certificates in one VIEW-CHANGE: the largest log that a cluster may have. */
const certificatesMax = 65_535;

export function encodeViewChange({ view: asked, stable, prepared }: ViewChangeBody): Buffer {
  const writer = new Writer().u64(asked).u64(stable.sequence).digest(stable.digest);
  writeSignatures(writer, stable.signatures);
  writer.list(prepared, (certificate) => {
    writeCertificate(writer, certificate);
  });
  return writer.done();
}

/** @throws {Malformed} */
export function decodeViewChange(body: Buffer): ViewChangeBody {
  const reader = new Reader(body);
  const asked = view(reader.u64());
  const stable = { sequence: sequence(reader.u64()), digest: reader.digest(), signatures: readSignatures(reader) };
  const prepared = reader.list(certificatesMax, () => readCertificate(reader));
  reader.end();
  demand(asked > 0, 'nobody asks for view 0');
  return { view: asked, stable, prepared };
}

/** A prepared certificate alone, as a VIEW-CHANGE holds it. */
export function encodeCertificate(certificate: CertificateBody): Buffer {
  const writer = new Writer();
  writeCertificate(writer, certificate);
  return writer.done();
}

/** @throws {Malformed} */
export function decodeCertificate(bytes: Buffer): CertificateBody {
  const reader = new Reader(bytes);
  const certificate = readCertificate(reader);
  reader.end();
  return certificate;
}

/** u64 view ‖ u16 count × (u32 length ‖ VIEW-CHANGE frame) ‖ u16 count × (u64 sequence ‖ digest ‖ signature). */
export interface NewViewBody {
  readonly view: View;
  readonly viewChangeFrames: readonly Buffer[];
  readonly prePrepares: readonly (CheckpointBody & { readonly signature: Buffer })[];
}

export function encodeNewView({ view: begun, viewChangeFrames, prePrepares }: NewViewBody): Buffer {
  const writer = new Writer().u64(begun);
  writer.list(viewChangeFrames, (frame) => writer.blob(frame));
  writer.list(prePrepares, (ordered) => writer.u64(ordered.sequence).digest(ordered.digest).raw(ordered.signature));
  return writer.done();
}

/** @throws {Malformed} */
export function decodeNewView(body: Buffer): NewViewBody {
  const reader = new Reader(body);
  const begun = view(reader.u64());
  const viewChangeFrames = reader.list(replicasMax, () => reader.blob(frameBytesMax));
  const prePrepares = reader.list(certificatesMax, () => ({
    sequence: sequence(reader.u64()),
    digest: reader.digest(),
    signature: reader.take(voteSignatureBytes),
  }));
  reader.end();
  return { view: begun, viewChangeFrames, prePrepares };
}

/** Asks one replica for a batch by its digest. */
export interface FetchBatch extends CheckpointBody {
  readonly target: number;
}

export function encodeFetchBatch({ target, sequence: place, digest }: FetchBatch): Buffer {
  return new Writer().u16(target).u64(place).digest(digest).done();
}

/** @throws {Malformed} */
export function decodeFetchBatch(body: Buffer): FetchBatch {
  const reader = new Reader(body);
  const fetch = { target: reader.u16(), sequence: sequence(reader.u64()), digest: reader.digest() };
  reader.end();
  return fetch;
}

function writeCertificate(writer: Writer, certificate: CertificateBody): void {
  writer.u64(certificate.view).u64(certificate.sequence).digest(certificate.digest).raw(certificate.prePrepare);
  writeSignatures(writer, certificate.prepares);
}

function readCertificate(reader: Reader): CertificateBody {
  return {
    view: view(reader.u64()),
    sequence: sequence(reader.u64()),
    digest: reader.digest(),
    prePrepare: reader.take(voteSignatureBytes),
    prepares: readSignatures(reader, voteSignatureBytes),
  };
}

/** u16 count × (u16 signer ‖ signature). */
export function writeSignatures(writer: Writer, signatures: readonly Signed[]): void {
  writer.list(signatures, ({ signer, signature }) => writer.u16(signer).raw(signature));
}

/** @throws {Malformed} */
export function readSignatures(reader: Reader, bytes = signatureBytes): Signed[] {
  return reader.list(replicasMax, () => ({ signer: reader.u16(), signature: reader.take(bytes) }));
}

/**
 * The largest L for which the largest NEW-VIEW of n replicas still fits in a frame: q VIEW-CHANGEs, each with L certificates
 * of q−1 PREPAREs. A cluster with a larger one could never change its view again.
 */
export function logSizeMax(n: number): number {
  const q = quorumSize(n);
  const certificateBytes = 50 + voteSignatureBytes + (q - 1) * (2 + voteSignatureBytes);
  const viewChangeBytes = 200 + q * (2 + signatureBytes);
  const prePrepareBytes = 40 + voteSignatureBytes;
  return Math.floor((frameBytesMax - 200 - q * viewChangeBytes) / (q * certificateBytes + prePrepareBytes));
}
