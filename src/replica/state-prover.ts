import type { Checkpoint } from '../pbft/messages.js';
import { bucketOf } from '../state-machine/hash-tree.js';
import type { Item } from '../state-machine/merkle-map.js';
import { encodeProofParts } from '../wire/state-proof.js';
import type { Signed } from '../wire/views.js';
import type { CheckpointedState } from './checkpointed-state.js';

/** The part of the checkpointed state that is the service's. */
const servicePart = 0;

/**
 * Proves what a key holds, or that it holds nothing, in the state of the stable checkpoint: whoever gets the proof needs nobody's
 * word but that of the q replicas that have signed the checkpoint.
 * @returns the proof encoded, or nothing when that state is not at hand
 */
export function proveKey(
  state: CheckpointedState,
  proof: readonly Checkpoint[],
  signatures: readonly Signed[],
  key: string,
): Buffer | undefined {
  const [first] = proof;
  const snapshot = first && state.snapshotAt(first.sequence, first.digest);
  const [part, content] = [state.parts[servicePart], snapshot?.parts[servicePart]];
  if (snapshot === undefined || part === undefined || content === undefined) return undefined;
  const bucket = bucketOf(key);
  const items = content.itemsOf(bucket);
  const own = items.find((item) => item.key === key);
  const encoded = (item: Item | undefined): Buffer | undefined => item && part.encode(item);
  const next = items.findIndex((item) => item.key > key);
  const after = next < 0 ? items.length : next;
  return encodeProofParts({
    ...snapshot.head,
    signatures,
    hashes: Buffer.from(items.map(({ hash }) => hash).join(''), 'latin1'),
    path: content.wayFrom(bucket),
    isFound: own !== undefined,
    entries: own === undefined ? [encoded(items[after - 1]), encoded(items[after])] : [encoded(own)],
  });
}
