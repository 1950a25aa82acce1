import { signatureBytes } from '../crypto/ed25519.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { Malformed, Reader, Writer, demand } from './bytes.js';
import { signedKinds } from '../crypto/genesis.js';
import { isVote, kindOf, voteSignatureBytes, type Kind } from './kinds.js';

/**
 * A frame is one signed message:
 *
 *     u8 version ‖ u8 kind ‖ 8 bytes of the genesis digest ‖ u64 epoch ‖ u16 signer
 *     ‖ u32 length ‖ body ‖ signature ‖ u32 length ‖ attachment
 *
 * The signature has 64 bytes and covers preamble(kind) ‖ body, of a bundle preamble(kind) ‖ SHA-256(body); that of a vote has 96 (pledges.ts).
 * The preamble holds the domain tag, the whole genesis digest, the epoch and the kind (rule 6). `signer` only says whose key to try. An attachment (a batch or names of what is in it, a list
 * of leaves) is bound by a digest in the body. The eight bytes let a stranger's frame be refused before any cryptography (rule 8).
 */
export interface Frame {
  readonly kind: Kind;
  readonly epoch: number;
  /** A replica's index, or `gatewaySigner`. */
  readonly signer: number;
  readonly body: Buffer;
  readonly signature: Buffer;
  readonly attachment: Buffer;
  /** The whole frame as it was received or is to be sent. */
  readonly bytes: Buffer;
}

const version = 3;
export const gatewaySigner = 0xffff;
const clusterTagBytes = 8;
/** Bytes of a frame beside its body, its signature and its attachment. */
const fixedBytes = 1 + 1 + clusterTagBytes + 8 + 2 + 4 + 4;

/** Bytes of one frame; the largest are NEW-VIEWs, then batches. */
export const frameBytesMax = 4 * 1024 * 1024;
/** Bytes of one PUBLISH. */
export const packetBytesMax = 8 * 1024 * 1024;
/** Frames in one PUBLISH. */
export const packetFramesMax = 4096;

/** What a frame is made of, before it has bytes. */
export type FrameParts = Omit<Frame, 'bytes'> & { readonly genesisDigest: Uint8Array };

export function encodeFrame(parts: FrameParts): Buffer {
  return new Writer(fixedBytes + parts.body.length + parts.signature.length + parts.attachment.length)
    .u8(version)
    .u8(signedKinds[parts.kind])
    .raw(parts.genesisDigest.subarray(0, clusterTagBytes))
    .u64(parts.epoch)
    .u16(parts.signer)
    .blob(parts.body)
    .raw(parts.signature)
    .blob(parts.attachment)
    .done();
}

/** The frame in `bytes`, or why it is none of this cluster. Checks form only, no signature. */
export function decodeFrame(bytes: Buffer, genesisDigest: Uint8Array): Frame | RefusalReason {
  if (bytes.length > frameBytesMax) return 'oversized-frame';
  try {
    const reader = new Reader(bytes);
    if (reader.u8() !== version) return 'unknown-version';
    const kind = kindOf(reader.u8());
    if (kind === undefined) return 'unknown-kind';
    if (!reader.takes(genesisDigest, clusterTagBytes)) return 'wrong-cluster';
    const epoch = reader.u64();
    const signer = reader.u16();
    const body = reader.blob(frameBytesMax);
    const signature = reader.take(isVote(kind) ? voteSignatureBytes : signatureBytes);
    const attachment = reader.blob(frameBytesMax);
    reader.end();
    return { kind, epoch, signer, body, signature, attachment, bytes };
  } catch (error) {
    if (error instanceof Malformed) return 'malformed-frame';
    throw error;
  }
}

/** Runs a decoder of ours; what it throws for bad bytes becomes a refusal. */
export function decoded<T>(decode: () => T): T | 'malformed-frame' {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Malformed) return 'malformed-frame';
    throw error;
  }
}

/** One PUBLISH payload: frames, each with a u32 length before it. */
export function joinPacket(frames: readonly Uint8Array[]): Buffer {
  const writer = new Writer(frames.reduce((bytes, frame) => bytes + 4 + frame.length, 0));
  for (const frame of frames) writer.blob(frame);
  return writer.done();
}

/** The frames of a PUBLISH payload, all or none. */
export function splitPacket(payload: Buffer): Buffer[] | RefusalReason {
  if (payload.length > packetBytesMax) return 'oversized-frame';
  return decoded(() => {
    const reader = new Reader(payload);
    const frames: Buffer[] = [];
    demand(payload.length > 0, 'empty packet');
    while (reader.position < payload.length) {
      demand(frames.length < packetFramesMax, 'too many frames');
      frames.push(reader.blob(frameBytesMax));
    }
    return frames;
  });
}
