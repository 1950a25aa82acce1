import { HashTree } from '../state-machine/hash-tree.js';
import type { Item } from '../state-machine/merkle-map.js';
import type { StateSnapshot } from './checkpointed-state.js';

export interface Change {
  readonly part: number;
  readonly key: string;
  /** `undefined`: the key is no longer there. */
  readonly item: Item | undefined;
}

const emptyTree = new HashTree();

/** What must be written over the one state to have the other. */
export function* changesBetween(
  before: StateSnapshot | undefined,
  now: StateSnapshot,
): Generator<Change, undefined, undefined> {
  for (const [part, to] of now.parts.entries()) {
    const from = before?.parts[part];
    for (const bucket of to.differing(from ?? emptyTree)) {
      const gone = new Map((from?.itemsOf(bucket) ?? []).map((item) => [item.key, item]));
      for (const item of to.itemsOf(bucket)) {
        const { key } = item;
        if (gone.get(key)?.hash !== item.hash) yield { part, key, item };
        gone.delete(key);
      }
      for (const key of gone.keys()) yield { part, key, item: undefined };
    }
  }
  return undefined;
}
