import { Writer } from '../wire/bytes.js';
import type { Digest } from '../pbft/types.js';
import { sha256 } from './digest.js';

/** What a checkpoint's digest is made of. */
export interface CheckpointHead {
  readonly sequence: number;
  /** Agreed time after that sequence number, milliseconds since 1970. */
  readonly time: number;
  /** The parts' digests, 32 bytes each. */
  readonly roots: readonly Buffer[];
}

const checkpointDomain = Buffer.from('quorate/1/checkpoint\0', 'ascii');

/** SHA-256("quorate/1/checkpoint" 0 ‖ u64 sequence ‖ u64 time ‖ the parts' digests): what CHECKPOINT messages agree on. */
export function digestOfCheckpoint({ sequence, time, roots }: CheckpointHead): Digest {
  const writer = new Writer().raw(checkpointDomain).u64(sequence).u64(time);
  for (const root of roots) writer.raw(root);
  return sha256(writer.done());
}
