import { faultsTolerated } from '../pbft/quorum.js';
import type { Profile } from './profile.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { SimulatedReplica } from './simulated-replica.js';

/** A replica whose hashes are not what it wrote. */
interface Victim {
  /** A stable checkpoint beyond this makes up for it. */
  readonly until: number;
  /** Its process has ended since: what it lives on is what is left. */
  hasLost: boolean;
}

/**
 * Who has lost data. The cluster promises to go on while no more than f replicas are Byzantine or have lost theirs at once
 * (rule 28); unless a run is to be overwhelmed, no more than that do. Nothing wrong may happen in any case.
 */
export class Victims {
  private readonly victims = new Map<SimulatedReplica, Victim>();
  /** More replicas had lost data, at some time, than the cluster bears. */
  private wasOverwhelmed = false;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {}

  /**
   * Whether the cluster promises no progress. Who crashed between its promises and its log cannot show what it has promised,
   * and counts as well, beside others that have lost theirs. A stall by crashes alone stays a violation.
   */
  get isOverwhelmed(): boolean {
    const lost = this.lost();
    const amnesiacs = this.cluster.correct.filter((replica) => {
      return this.victims.get(replica)?.hasLost !== true && replica.life?.node.host.replica.isAmnesiac === true;
    });
    return this.wasOverwhelmed || (lost > 0 && lost + amnesiacs.length > this.most);
  }

  mayRob(replica: SimulatedReplica): boolean {
    this.forgive();
    return this.profile.isOverwhelmed || this.victims.has(replica) || this.victims.size < this.most;
  }

  mayLoseAll(): boolean {
    this.forgive();
    return this.profile.isOverwhelmed || this.victims.size === 0;
  }

  /** Whether its process may end: on what is left of its hashes it could not go on as it was. */
  mayDie(replica: SimulatedReplica): boolean {
    this.forgive();
    const victim = this.victims.get(replica);
    return this.profile.isOverwhelmed || victim === undefined || victim.hasLost || this.lost() < this.most;
  }

  /** Its hashes, or its promises, are no longer what it wrote. */
  rob(replica: SimulatedReplica): void {
    const hasLost = this.victims.get(replica)?.hasLost ?? false; // what is robbed twice is not whole again
    this.victims.set(replica, { until: this.cluster.witness.execution.last + 1, hasLost });
  }

  /** Everybody's hashes are gone: whoever restarts before a later checkpoint has lost data. */
  robAll(): void {
    for (const replica of this.cluster.correct) {
      replica.clearDoom();
      this.rob(replica);
      if (replica.life?.isRunning !== true) this.onDeath(replica);
    }
  }

  /** A process has ended: with its hashes robbed, that was its data. */
  onDeath(replica: SimulatedReplica): void {
    const victim = this.victims.get(replica);
    if (victim !== undefined) victim.hasLost = true;
    if (this.lost() > this.most) this.wasOverwhelmed = true;
  }

  private get most(): number {
    return faultsTolerated(this.profile.n) - this.profile.byzantine.length;
  }

  private lost(): number {
    this.forgive();
    return [...this.victims.values()].filter(({ hasLost }) => hasLost).length;
  }

  /** What lies below a stable checkpoint that came later does not matter any more. */
  private forgive(): void {
    for (const [replica, { until }] of this.victims) {
      const core = replica.life?.node.host.replica;
      const isWell = core !== undefined && !core.isAmnesiac && !core.isChangingView && !core.isCorrupt;
      if (isWell && core.stable.sequence > until) this.victims.delete(replica);
    }
  }
}
