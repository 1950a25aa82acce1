import type { Channel } from '../ports/bus.js';
import type { LogPlace } from '../ports/message-log.js';

/**
 * Every key and channel of a cluster, in one place. The braces make Redis Cluster hash all of them to one slot, so that
 * a replica's log and its messages go in one transaction.
 */
export class Keys {
  private readonly prefix: string;

  constructor(cluster: string) {
    this.prefix = `quorate:{${cluster}}`;
  }

  channel(channel: Channel): string {
    return `${this.prefix}:${channel}`;
  }

  /** Hash: a replica's log of one sequence number. */
  log(replica: string, sequence: number): string {
    return `${this.prefix}:log:${replica}:${sequence}`;
  }

  /** Hash: a replica's view and last executed sequence number. */
  replica(replica: string): string {
    return `${this.prefix}:replica:${replica}`;
  }

  /** Hash: a replica's checkpointed state. */
  state(replica: string): string {
    return `${this.prefix}:state:${replica}`;
  }

  /** One of a replica's hashes. */
  place(replica: string, place: LogPlace): string {
    if (place === 'replica') return this.replica(replica);
    return place === 'state' ? this.state(replica) : this.log(replica, place);
  }

  /** Hash: who wants to found the cluster. */
  get enrolment(): string {
    return `${this.prefix}:enrolment`;
  }

  /** Hash: the proposed genesis and its founders' signatures. */
  get genesis(): string {
    return `${this.prefix}:genesis`;
  }

  /** Prefix of all that BullMQ keeps for the asynchronous requests. */
  get queue(): string {
    return `${this.prefix}:queue`;
  }

  /** Prefix of the counts of requests by client. */
  get rate(): string {
    return `${this.prefix}:rate`;
  }
}
