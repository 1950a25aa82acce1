import type { Checkpoint } from './messages.js';
import type { Digest, ReplicaIndex, SequenceNumber } from './types.js';

/** Checkpoints kept of each signer: the newest ones. */
const perSignerMax = 64;

/** The CHECKPOINTs heard, the first of each (signer, sequence). Bounded for each signer; old ones give way. */
export class Checkpoints {
  private readonly bySigner = new Map<ReplicaIndex, Map<SequenceNumber, Checkpoint>>();

  /** @returns the one that is there already, if any. */
  add(checkpoint: Checkpoint): Checkpoint | undefined {
    const own = this.bySigner.get(checkpoint.replica) ?? new Map<SequenceNumber, Checkpoint>();
    this.bySigner.set(checkpoint.replica, own);
    const first = own.get(checkpoint.sequence);
    if (first !== undefined) return first;
    own.set(checkpoint.sequence, checkpoint);
    if (own.size > perSignerMax) own.delete([...own.keys()].reduce((a, b) => (a < b ? a : b)));
    return undefined;
  }

  /** Takes it in the place of what is there. */
  replace(checkpoint: Checkpoint): void {
    this.bySigner.get(checkpoint.replica)?.delete(checkpoint.sequence);
    this.add(checkpoint);
  }

  of(replica: ReplicaIndex, sequence: SequenceNumber): Checkpoint | undefined {
    return this.bySigner.get(replica)?.get(sequence);
  }

  /** Those of distinct replicas that tell the same of this sequence number, when they are at least `q`. */
  quorum(sequence: SequenceNumber, q: number): readonly Checkpoint[] | undefined {
    const all = [...this.bySigner.values()].flatMap((own) => own.get(sequence) ?? []);
    return all.map(({ digest }) => all.filter((other) => other.digest === digest)).find(({ length }) => length >= q);
  }

  /** Those of the highest sequence number beyond this one for which `count` replicas besides `self` tell the same. */
  highestBeyond(beyond: SequenceNumber, count: number, self: ReplicaIndex): readonly Checkpoint[] | undefined {
    const others: Checkpoint[] = [];
    for (const [signer, own] of this.bySigner) {
      if (signer === self) continue;
      for (const checkpoint of own.values()) if (checkpoint.sequence > beyond) others.push(checkpoint);
    }
    const places = [...new Set(others.map(({ sequence }) => sequence))].sort((a, b) => b - a);
    for (const place of places) {
      const here = others.filter(({ sequence }) => sequence === place);
      const same = here.map(({ digest }) => here.filter((other) => other.digest === digest));
      const vouched = same.find(({ length }) => length >= count);
      if (vouched !== undefined) return vouched;
    }
    return undefined;
  }

  /** How many replicas besides `self` tell this of a sequence number. */
  vouchers(sequence: SequenceNumber, digest: Digest, self: ReplicaIndex): number {
    return [...this.bySigner].filter(([signer, own]) => signer !== self && own.get(sequence)?.digest === digest).length;
  }

  dropBelow(sequence: SequenceNumber): void {
    for (const own of this.bySigner.values()) {
      for (const place of own.keys()) if (place < sequence) own.delete(place);
    }
  }
}
