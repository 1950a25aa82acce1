import type { MessageLog } from '../ports/message-log.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';

/** Fields that a hash of one sequence number may have: n ≤ 64 replicas, two votes each, in a few views. */
const fieldsMax = 4096;

/** How many fields one page of the state has, about. */
const pageFields = 256;

/** Reads a replica's hashes. Writing them is the outbox's, together with what is published. */
export class RedisMessageLog implements MessageLog {
  constructor(
    private readonly connection: Connection,
    private readonly keys: Keys,
    private readonly replica: string,
  ) {}

  read(sequence: number): Promise<Readonly<Record<string, Buffer>>> {
    return this.readHash(this.keys.log(this.replica, sequence));
  }

  readReplica(): Promise<Readonly<Record<string, Buffer>>> {
    return this.readHash(this.keys.replica(this.replica));
  }

  async *scanState(): AsyncGenerator<readonly [field: string, value: Buffer], undefined, undefined> {
    const key = this.keys.state(this.replica);
    let cursor = '0';
    do {
      const [next, page] = await this.connection.redis.hscanBuffer(key, cursor, 'COUNT', pageFields);
      for (let index = 0; index + 1 < page.length; index += 2) {
        const [field, value] = [page[index], page[index + 1]];
        if (field !== undefined && value !== undefined) yield [field.toString(), value];
      }
      cursor = next.toString();
    } while (cursor !== '0');
    return undefined;
  }

  /** No HGETALL over what can grow (rule 33): whoever runs Redis could have put anything there. */
  private async readHash(key: string): Promise<Readonly<Record<string, Buffer>>> {
    const { redis } = this.connection;
    if ((await redis.hlen(key)) > fieldsMax) return {};
    return redis.hgetallBuffer(key);
  }
}
