import type { Item, MerkleSnapshot } from '../state-machine/merkle-map.js';
import { bucketCount, nodesPerStep } from '../state-machine/hash-tree.js';
import {
  encodeStateAnswer,
  stateTransferLimits,
  type BucketOffset,
  type BucketPage,
  type FetchState,
  type StateAnswer,
  type StateQuestion,
} from '../wire/state-transfer.js';
import type { CheckpointedState, Part, StateSnapshot } from './checkpointed-state.js';

/**
 * Checkpoints that are kept for those who fetch them, beyond what the replica itself keeps, and for how many ticks after
 * the last question, and after the first. Else a replica that is far behind would chase one checkpoint after the other.
 */
const leasesMax = 4;
const idleLeaseTicks = 100;
const wholeLeaseTicks = 2400;

interface Lease {
  /** The first who asked: nobody holds two. */
  readonly asker: number;
  readonly snapshot: StateSnapshot;
  readonly since: number;
  lastAsked: number;
}

/** Answers peers' questions about checkpoints (rule 25). What it hands out they verify, so that nothing here is signed for. */
export class StateServer {
  private readonly leases = new Map<string, Lease>();
  private ticks = 0;

  constructor(private readonly state: CheckpointedState) {}

  onTick(): void {
    this.ticks++;
    for (const [digest, { snapshot, since, lastAsked }] of this.leases) {
      if (this.ticks < lastAsked + idleLeaseTicks && this.ticks < since + wholeLeaseTicks) continue;
      this.leases.delete(digest);
      snapshot.release();
    }
  }

  /** The attachment of the answer. */
  answer(asker: number, { sequence, digest, question }: Omit<FetchState, 'target'>): Buffer {
    const snapshot = this.state.snapshotAt(sequence, digest) ?? this.leases.get(digest)?.snapshot;
    if (snapshot === undefined) return encodeStateAnswer({ ask: 'gone' });
    this.lease(asker, snapshot);
    return encodeStateAnswer(this.lookUp(snapshot, question));
  }

  /** Lets go of everything. */
  close(): void {
    for (const { snapshot } of this.leases.values()) snapshot.release();
    this.leases.clear();
  }

  private lease(asker: number, snapshot: StateSnapshot): void {
    const lease = this.leases.get(snapshot.digest);
    if (lease !== undefined) {
      lease.lastAsked = this.ticks;
      return;
    }
    const before = [...this.leases].find(([, held]) => held.asker === asker);
    if (before !== undefined) {
      this.leases.delete(before[0]);
      before[1].snapshot.release();
    }
    if (this.leases.size >= leasesMax) return;
    this.leases.set(snapshot.digest, {
      asker,
      snapshot: snapshot.retain(),
      since: this.ticks,
      lastAsked: this.ticks,
    });
  }

  /** What no checkpoint has is answered as one that is gone. */
  private lookUp(snapshot: StateSnapshot, question: StateQuestion): StateAnswer {
    if (question.ask === 'head') return { ask: 'head', time: snapshot.head.time, roots: snapshot.head.roots };
    const part = this.state.parts[question.part];
    const content = snapshot.parts[question.part];
    if (part === undefined || content === undefined) return { ask: 'gone' };
    if (question.ask === 'nodes') {
      const isAsked = (node: number): boolean => node === 1 || (node >= nodesPerStep && node < 2 * nodesPerStep);
      if (!question.nodes.every(isAsked)) return { ask: 'gone' };
      return { ask: 'nodes', below: question.nodes.map((node) => content.hashesBelow(node)) };
    }
    const pages = pagesOf(part, content, question.from);
    return pages.length > 0 ? { ask: 'buckets', pages } : { ask: 'gone' };
  }
}

/** As much as fits of what was asked for, from its beginning on: at least one item, unless the first bucket has none. */
function pagesOf(part: Part, content: MerkleSnapshot<Item>, from: readonly BucketOffset[]): BucketPage[] {
  const pages: BucketPage[] = [];
  let room: number = stateTransferLimits.answerBytes;
  for (const { bucket, offset } of from) {
    if (bucket >= bucketCount) break;
    const all = content.itemsOf(bucket);
    const hashes = Buffer.from(offset === 0 ? all.map(({ hash }) => hash).join('') : '', 'latin1');
    room -= hashes.length;
    const items: Buffer[] = [];
    for (const item of all.slice(offset)) {
      const bytes = part.encode(item);
      const isFirst = pages.length === 0 && items.length === 0;
      if (room < bytes.length && !isFirst) break;
      room -= bytes.length;
      items.push(bytes);
    }
    const isWhole = items.length === Math.max(0, all.length - offset);
    if (items.length > 0 || isWhole) pages.push({ hashes, items });
    if (!isWhole || room <= 0) break;
  }
  return pages;
}
