import { clientFaults, FalseClient } from './byzantine/false-client.js';
import { ForeignNonce } from './byzantine/foreign-nonce.js';
import type { FaultKind } from './fault-kinds.js';
import type { Profile } from './profile.js';
import { Random } from './random.js';
import { RedisFaults, redisHappenings, type Circumstances } from './redis-faults.js';
import type { Death } from './simulated-ports.js';
import type { Life, SimulatedReplica } from './simulated-replica.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { Tally } from './tally.js';
import { Victims } from './victims.js';
import type { Weather } from './weather.js';

/** The run in which it all happens. */
export interface Play {
  readonly profile: Profile;
  readonly cluster: SimulatedCluster;
  readonly tally: Tally;
  readonly weather: Weather;
  /** The faults have stopped. */
  readonly isCalm: boolean;
  note(text: string): void;
  revive(replica: SimulatedReplica): void;
  resume(replica: SimulatedReplica, life: Life): void;
}

/** Each kind that is on happens about so often a virtual second, at intensity 1. */
const perSecond = 0.5;

/** What happens of itself, by kind. */
type Happenings = Partial<Record<FaultKind, (fate: Fate) => void>>;

const withRedis =
  (happen: (redis: RedisFaults) => void) =>
  (fate: Fate): void => {
    happen(fate.redis);
  };

const lies =
  (kind: FaultKind) =>
  (fate: Fate): void => {
    fate.client.act(kind);
  };

const dies =
  (death: Death) =>
  (fate: Fate): void => {
    fate.doomOne(death);
  };

const happenings: Happenings = {
  'one-way-partition': (fate) => {
    fate.divide(true);
  },
  'two-way-partition': (fate) => {
    fate.divide(false);
  },
  crash: (fate) => {
    fate.crashOne();
  },
  'crash-before-promises': dies('before-promises'),
  'crash-after-promises': dies('after-promises'),
  'crash-after-log': dies('after-log'),
  'crash-after-publish': dies('after-publish'),
  pause: (fate) => {
    fate.pauseOne();
  },
  'clock-skew': (fate) => {
    fate.skewOne();
  },
  'clock-jump': (fate) => {
    fate.jumpOne();
  },
  ...Object.fromEntries(Object.entries(redisHappenings).map(([kind, happen]) => [kind, withRedis(happen)])),
  ...Object.fromEntries(clientFaults.map((kind) => [kind, lies(kind)])),
};

/** Has the faults of the profile happen, at random times, to replicas that are not Byzantine. */
export class Fate implements Circumstances {
  readonly profile: Profile;
  readonly victims: Victims;
  readonly redis: RedisFaults;
  readonly client: FalseClient;

  constructor(
    readonly simulation: Play,
    readonly random: Random,
  ) {
    this.profile = simulation.profile;
    this.victims = new Victims(this.cluster, this.profile);
    this.redis = new RedisFaults(this);
    this.client = new FalseClient(this.cluster, random, this.tally);
    if (this.profile.faults.has('foreign-nonce')) new ForeignNonce(this);
  }

  get isCalm(): boolean {
    return this.simulation.isCalm;
  }

  get cluster(): SimulatedCluster {
    return this.simulation.cluster;
  }

  get tally(): Tally {
    return this.simulation.tally;
  }

  private get correct(): readonly SimulatedReplica[] {
    return this.cluster.correct;
  }

  did(kind: FaultKind, text: string): void {
    this.tally.add(kind);
    this.simulation.note(text);
  }

  later(delayMs: number, run: () => void): void {
    this.cluster.time.after(delayMs, run);
  }

  /** Draws when each kind happens, from a stream of its own, so that each has its times whatever else is on. */
  schedule(): void {
    const { seed, durationMs, faults, intensity } = this.profile;
    for (const [kind, happen] of Object.entries(happenings) as [FaultKind, (fate: Fate) => void][]) {
      if (!faults.has(kind)) continue;
      const random = Random.stream(seed, `times of ${kind}`);
      const count = Math.max(1, Math.round((durationMs / 1000) * perSecond * intensity * 2 * random.next()));
      for (let index = 0; index < count; index++) {
        this.cluster.time.after(random.next() * durationMs, () => {
          if (!this.simulation.isCalm) happen(this);
        });
      }
    }
  }

  divide(isOneWay: boolean): void {
    const { simulation, random } = this;
    const names = [...simulation.cluster.replicas, ...simulation.cluster.gateways].map(({ name }) => name);
    simulation.note(simulation.weather.divide(names, isOneWay));
    this.cluster.time.after(random.between(50, 2_500), () => {
      simulation.weather.heal();
      simulation.note('everybody hears everybody again');
    });
  }

  crashOne(): void {
    const replica = this.random.pick(this.correct);
    if (replica.life === undefined || !this.victims.mayDie(replica)) return;
    this.did('crash', `${replica.name} dies`);
    replica.kill();
    this.victims.onDeath(replica);
    this.reviveLater(replica);
  }

  doomOne(death: Death): void {
    const replica = this.random.pick(this.correct);
    if (this.victims.mayDie(replica)) replica.doom(death);
  }

  revive(replica: SimulatedReplica): void {
    this.simulation.revive(replica);
  }

  reviveLater(replica: SimulatedReplica): void {
    const { simulation, random } = this;
    this.cluster.time.after(random.chance(0.5) ? random.between(1, 100) : random.between(100, 3_000), () => {
      simulation.revive(replica);
    });
  }

  pauseOne(): void {
    const { simulation, random } = this;
    const replica = random.pick(this.correct);
    const { life } = replica;
    if (life === undefined || life.isPaused) return;
    simulation.tally.add('pause');
    simulation.note(`${replica.name} stands still`);
    life.isPaused = true;
    simulation.cluster.network.pause(life.subscriber);
    this.cluster.time.after(random.between(100, 3_000), () => {
      simulation.resume(replica, life);
    });
  }

  skewOne(): void {
    const replica = this.random.pick(this.correct);
    replica.clockRate = 0.8 + 0.4 * this.random.next();
    this.simulation.tally.add('clock-skew');
    this.simulation.note(`the clock of ${replica.name} goes ${replica.clockRate.toFixed(3)} times as fast`);
  }

  jumpOne(): void {
    const replica = this.random.pick(this.correct);
    const jump = this.random.between(-20_000, 20_000);
    replica.clockOffsetMs += jump;
    this.simulation.tally.add('clock-jump');
    this.simulation.note(`the clock of ${replica.name} jumps by ${jump} ms`);
  }
}
