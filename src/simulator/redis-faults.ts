import { commonChannels } from '../replica/replica-node.js';
import type { Channel } from '../ports/bus.js';
import type { LogPlace } from '../ports/message-log.js';
import type { FaultKind } from './fault-kinds.js';
import type { Subscriber } from './network.js';
import type { Profile } from './profile.js';
import type { Random } from './random.js';
import type { SimulatedCluster } from './simulated-cluster.js';
import type { Hashes, SimulatedRedis } from './simulated-redis.js';
import type { SimulatedReplica } from './simulated-replica.js';
import type { Tally } from './tally.js';
import type { Victims } from './victims.js';

/** The run in which whoever runs Redis does what they do. */
export interface Circumstances {
  readonly profile: Profile;
  readonly cluster: SimulatedCluster;
  readonly random: Random;
  readonly tally: Tally;
  readonly victims: Victims;
  readonly isCalm: boolean;
  did(kind: FaultKind, text: string): void;
  later(delayMs: number, run: () => void): void;
  revive(replica: SimulatedReplica): void;
  reviveLater(replica: SimulatedReplica): void;
}

/** What is planted at all is planted with this probability in each log. */
const plantedShare = 0.7;
/** They are all down at once for a moment only: what was planted is to be of use to somebody. */
const plantedDownMs = 20;
/** Payloads that a Redis remembers, to bring them again. */
const rememberedMax = 200;
/** Bytes of a packet before its first frame's kind, and before its signer. */
const kindOffset = 5;
const signerOffset = 22;

/** Whoever runs Redis, and what they do to what is in it and on it (rule 30). */
export class RedisFaults {
  private readonly remembered: { readonly channel: Channel; readonly payload: Buffer }[] = [];
  private readonly copies = new Map<string, Hashes>();
  private lossRate = 0;

  constructor(private readonly fate: Circumstances) {
    const { network } = fate.cluster;
    const { onPublished } = network;
    const { faults } = fate.profile;
    const isKept = faults.has('redis-replay') || faults.has('redis-forgery');
    const rate = fate.random.next() * 0.1;
    if (faults.has('redis-loss')) this.lossRate = rate;
    if (isKept) {
      network.onPublished = (from, channel, payload) => {
        onPublished(from, channel, payload);
        this.remembered.push({ channel, payload });
        if (this.remembered.length > rememberedMax) this.remembered.splice(0, rememberedMax / 2);
      };
    }
    network.isDropped = () => {
      if (this.lossRate === 0 || fate.isCalm || !fate.random.chance(this.lossRate)) return false;
      fate.tally.add('redis-loss');
      return true;
    };
  }

  private get random(): Random {
    return this.fate.random;
  }

  replay(): void {
    if (this.remembered.length === 0) return;
    this.fate.did('redis-replay', 'Redis brings again what it brought before');
    for (let count = 0; count < 4; count++) {
      const { channel, payload } = this.random.pick(this.remembered);
      this.fate.cluster.network.publish('', [{ channel, payload }]);
    }
  }

  forge(): void {
    if (this.remembered.length === 0) return;
    this.fate.did('redis-forgery', 'Redis brings what nobody has said');
    const { random } = this;
    for (let count = 0; count < 3; count++) {
      const { channel, payload } = random.pick(this.remembered);
      const forged = Buffer.from(payload);
      const place = random.pick([random.below(forged.length), kindOffset, signerOffset + 1]);
      forged[place] = random.chance(0.5) ? random.below(256) : (forged[place] ?? 0) ^ (1 << random.below(8));
      const where = channel.startsWith('reply:') || random.chance(0.7) ? channel : random.pick(commonChannels);
      this.fate.cluster.network.publish('', [{ channel: where, payload: forged }]);
    }
  }

  /** A subscription is gone, and its process does not know: until it notices. */
  forget(): void {
    const subscriber = this.anybody();
    this.fate.did('redis-forgotten-subscriber', `Redis forgets that ${subscriber.name} listens`);
    subscriber.isForgotten = true;
    this.reconnectLater(subscriber, 4_000);
  }

  cut(): void {
    const subscriber = this.anybody();
    this.fate.did('redis-cut', `the connection of ${subscriber.name} is cut`);
    this.fate.cluster.network.cut(subscriber);
    this.reconnectLater(subscriber, 1_500);
  }

  refuseWrites(): void {
    const { logRedis } = this.fate.cluster.parts;
    this.fate.did('redis-refused-writes', 'Redis refuses writes');
    logRedis.refusal = 'OOM command not allowed';
    this.fate.later(this.random.between(50, 1_500), () => {
      logRedis.refusal = undefined;
    });
  }

  /** One of the Redises goes away and comes back. */
  restart(isDataKept: boolean): void {
    const { busRedis, logRedis, network } = { ...this.fate.cluster.parts };
    const redis: SimulatedRedis = this.random.pick([busRedis, logRedis]);
    if (redis.outage !== undefined) return;
    if (!isDataKept && !this.fate.victims.mayLoseAll()) return;
    const kind = isDataKept ? 'redis-restart' : 'redis-restart-without-data';
    this.fate.did(kind, `Redis restarts ${isDataKept ? 'with' : 'without'} its data`);
    redis.outage = 'Redis cannot be reached';
    if (!isDataKept && redis === logRedis) {
      redis.loseEverything();
      this.fate.victims.robAll();
    }
    if (redis === busRedis) for (const subscriber of network.subscribers) network.cut(subscriber);
    this.fate.later(this.random.between(20, 2_000), () => {
      redis.outage = undefined;
      if (redis === busRedis) for (const subscriber of [...network.subscribers]) network.reconnect(subscriber);
    });
  }

  /** A replica's hashes are set back to what they were some time ago, and it restarts on them. */
  rollBack(): void {
    const { logRedis } = this.fate.cluster.parts;
    const { random } = this;
    const replica = random.pick(this.fate.cluster.correct);
    const copy = this.copies.get(replica.name);
    if (copy === undefined) {
      this.copies.set(replica.name, logRedis.copy(replica.name));
      return;
    }
    if (!this.fate.victims.mayRob(replica)) return;
    this.fate.did('log-rollback', `the log of ${replica.name} is set back`);
    this.copies.delete(replica.name);
    this.onAnother(replica, () => {
      logRedis.putBack(replica.name, copy);
    });
  }

  /** Some of a replica's hashes, or all, are gone. */
  delete(): void {
    const { random } = this;
    const replica = random.pick(this.fate.cluster.correct);
    if (!this.fate.victims.mayRob(replica)) return;
    this.fate.did('log-deletion', `hashes of ${replica.name} are deleted`);
    this.onAnother(replica, () => {
      const hashes = this.fate.cluster.parts.logRedis.hashesOf(replica.name);
      const from = random.chance(0.4) ? 0 : random.below(this.fate.cluster.witness.execution.last + 1);
      for (const place of [...hashes.keys()]) {
        const isGone = typeof place === 'number' ? place > from : random.chance(0.5);
        if (isGone) hashes.delete(place);
      }
    });
  }

  /** Fields are altered, exchanged, deleted. */
  alter(): void {
    const { random } = this;
    const replica = random.pick(this.fate.cluster.correct);
    if (!this.fate.victims.mayRob(replica)) return;
    this.fate.did('log-alteration', `hashes of ${replica.name} are altered`);
    this.onAnother(replica, () => {
      const hashes = this.fate.cluster.parts.logRedis.hashesOf(replica.name);
      for (let count = random.between(1, 12); count > 0 && hashes.size > 0; count--) this.alterOne(hashes);
    });
  }

  /** Something is put into the logs of some, which restart on that. @returns to how many */
  plant(change: (hashes: Hashes) => void): number {
    if (this.fate.isCalm) return 0;
    const { cluster, victims } = this.fate;
    let count = 0;
    for (const replica of cluster.correct) {
      if (!this.random.chance(plantedShare) || !victims.mayRob(replica)) continue;
      count++;
      victims.rob(replica);
      replica.kill();
      change(cluster.parts.logRedis.hashesOf(replica.name));
      victims.onDeath(replica);
      this.fate.later(this.random.between(1, plantedDownMs), () => {
        this.fate.revive(replica);
      });
    }
    return count;
  }

  /** A replica's data folder is lost while it is down, and perhaps its hashes with it. */
  loseFolder(isAllLost: boolean): void {
    const replica = this.random.pick(this.fate.cluster.correct);
    if (!this.fate.victims.mayRob(replica)) return;
    const kind = isAllLost ? 'disk-loss' : 'promises-loss';
    this.fate.did(kind, `${replica.name} loses its promises${isAllLost ? ' and its hashes' : ''}`);
    this.fate.victims.rob(replica);
    replica.kill();
    this.fate.victims.onDeath(replica);
    replica.losePromises();
    if (isAllLost) this.fate.cluster.parts.logRedis.putBack(replica.name, new Map());
    this.fate.reviveLater(replica);
  }

  private alterOne(hashes: Hashes): void {
    const { random } = this;
    const places: LogPlace[] = [...hashes.keys()];
    const hash = hashes.get(random.pick(places));
    if (hash === undefined || hash.size === 0) return;
    const field = random.pick([...hash.keys()]);
    const value = Buffer.from(hash.get(field) ?? '');
    const other = hashes.get(random.pick(places)) ?? hash;
    switch (random.below(4)) {
      case 0:
        hash.delete(field);
        break;
      case 1:
        hash.set(field, [...other.values()][random.below(other.size)] ?? value);
        break;
      case 2:
        hash.set(field, value.subarray(0, random.below(value.length + 1)));
        break;
      default:
        if (value.length > 0) value[random.below(value.length)] = random.below(256);
        hash.set(field, value);
    }
  }

  /** The replica restarts on another log; now and then it goes on, and only finds out later. */
  private onAnother(replica: SimulatedReplica, change: () => void): void {
    this.fate.victims.rob(replica);
    const goesOn = this.random.chance(0.2) && replica.life !== undefined;
    if (!goesOn) replica.kill();
    change();
    if (goesOn) return;
    this.fate.victims.onDeath(replica);
    this.fate.reviveLater(replica);
  }

  private reconnectLater(subscriber: Subscriber, mostMs: number): void {
    this.fate.later(this.random.between(20, mostMs), () => {
      if (this.fate.cluster.parts.busRedis.outage === undefined) this.fate.cluster.network.reconnect(subscriber);
    });
  }

  private anybody(): Subscriber {
    return this.random.pick([...this.fate.cluster.network.subscribers]);
  }
}

export const redisHappenings: Partial<Record<FaultKind, (redis: RedisFaults) => void>> = {
  'redis-replay': (redis) => {
    redis.replay();
  },
  'redis-forgery': (redis) => {
    redis.forge();
  },
  'redis-forgotten-subscriber': (redis) => {
    redis.forget();
  },
  'redis-cut': (redis) => {
    redis.cut();
  },
  'redis-refused-writes': (redis) => {
    redis.refuseWrites();
  },
  'redis-restart': (redis) => {
    redis.restart(true);
  },
  'redis-restart-without-data': (redis) => {
    redis.restart(false);
  },
  'log-rollback': (redis) => {
    redis.rollBack();
  },
  'log-deletion': (redis) => {
    redis.delete();
  },
  'log-alteration': (redis) => {
    redis.alter();
  },
  'promises-loss': (redis) => {
    redis.loseFolder(false);
  },
  'disk-loss': (redis) => {
    redis.loseFolder(true);
  },
};
