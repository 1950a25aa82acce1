import type { ReplicaMessage } from '../../src/pbft/messages.js';
import type { Random } from '../support/seeds.js';
import { momentsPerTick, type Profile } from './profile.js';
import type { Schedule } from './schedule.js';

/** Brings things from one replica to another: late, twice, or not at all. Gateways send from outside, as -1. */
export class Network {
  /** The faults have stopped: what is sent from now on arrives within a tick. */
  isCalm = false;
  /** Whether something gets lost, besides what chance loses. Not every thing is a replica's message. */
  isLost: (from: number, to: number, message: ReplicaMessage | undefined) => boolean = () => false;
  /** Which of two parts each replica is in, while they are cut apart. */
  private parts: readonly number[] = [];

  constructor(
    private readonly profile: Profile,
    private readonly random: Random,
    private readonly schedule: Schedule,
  ) {}

  transmit(from: number, to: number, arrive: () => void, message?: ReplicaMessage): void {
    const { random } = this;
    const { loss, duplication, delayMin, delayMax } = this.profile;
    if (this.isLost(from, to, message)) return;
    if (this.isCalm) {
      this.schedule.after(1 + random.below(momentsPerTick), arrive);
      return;
    }
    const isCutOff = from >= 0 && this.parts[from] !== this.parts[to];
    if (isCutOff || random.chance(loss)) return;
    this.schedule.after(delayMin + random.below(delayMax - delayMin + 1), arrive);
    if (random.chance(duplication)) this.schedule.after(1 + random.below(4 * delayMax), arrive);
  }

  /** Cuts the replicas apart, or heals the cut that is there. @returns what happened */
  divide(): string {
    const isHealed = this.parts.length > 0;
    this.parts = isHealed ? [] : Array.from({ length: this.profile.n }, () => this.random.below(2));
    return isHealed ? 'the network is whole again' : `the network falls apart: ${this.parts.join('')}`;
  }
}
