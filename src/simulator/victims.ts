import { faultsTolerated } from '../pbft/quorum.js';
import type { Profile } from './profile.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { SimulatedReplica } from './simulated-replica.js';

/**
 * Who has lost data. The cluster promises to go on while no more than f replicas are Byzantine or have lost theirs at once
 * (rule 28); unless a run is to be overwhelmed, no more than that do. Nothing wrong may happen in any case.
 */
export class Victims {
  /** Whose hashes are not what it wrote: if it restarts it has lost data. Until which checkpoint. */
  private readonly robbed = new Map<SimulatedReplica, number>();

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {}

  /** More replicas have lost data, at some time, than the cluster bears. */
  wasOverwhelmed = false;

  mayRob(replica: SimulatedReplica): boolean {
    return this.profile.isOverwhelmed || this.robbed.has(replica) || this.count() < this.most;
  }

  mayLoseAll(): boolean {
    return this.profile.isOverwhelmed || this.count() === 0;
  }

  /** Whether its process may end: on what is left of its hashes it could not go on as it was. */
  mayDie(replica: SimulatedReplica): boolean {
    if (this.profile.isOverwhelmed || !this.robbed.has(replica)) return true;
    this.forgive();
    return !this.robbed.has(replica) || this.count() <= this.most;
  }

  rob(replica: SimulatedReplica): void {
    this.forgive();
    this.robbed.set(replica, this.cluster.witness.execution.last + 1);
    if (this.count() > this.most) this.wasOverwhelmed = true;
  }

  /** Everybody's hashes are gone: whoever restarts before a later checkpoint has lost data. */
  robAll(): void {
    for (const replica of this.cluster.correct) {
      replica.clearDoom();
      this.robbed.set(replica, this.cluster.witness.execution.last + 1);
    }
    const isAnyDown = this.cluster.correct.some(({ life }) => life?.isRunning !== true);
    if (isAnyDown) this.wasOverwhelmed = true;
  }

  /** A process ends: with its hashes robbed, that was its data. */
  onDeath(replica: SimulatedReplica): void {
    this.forgive();
    if (this.robbed.has(replica) && this.count() > this.most) this.wasOverwhelmed = true;
  }

  private get most(): number {
    return faultsTolerated(this.profile.n) - this.profile.byzantine.length;
  }

  private count(): number {
    this.forgive();
    return this.robbed.size;
  }

  /** What lies below a stable checkpoint that came later does not matter any more. */
  private forgive(): void {
    for (const [replica, until] of this.robbed) {
      const core = replica.life?.node.host.replica;
      const isWell = core !== undefined && !core.isAmnesiac && !core.isChangingView && !core.isCorrupt;
      if (isWell && core.stable.sequence > until) this.robbed.delete(replica);
    }
  }
}
