import { connect } from '../processes/redis.mjs';

/** Sequence numbers that share a hash; it is removed when the second one after it begins. */
const HASH_SPAN = 128;

/** How many of what: f faulty replicas of n, and the quorum. */
export function quorumsOf(n) {
  const f = Math.floor((n - 1) / 3);
  return { f, q: Math.ceil((n + f + 1) / 2) };
}

/** The names in Redis. Everybody has a channel to publish on, as everybody but its owner listens to it. */
export const channels = {
  request: 'skeleton:request',
  reply: 'skeleton:reply',
  from: (replica) => `skeleton:from:${replica}`,
};

/** What a process of the skeleton has of Redis: one connection that listens, one for the rest. */
export class Link {
  #redis;
  #subscriber;
  #prefix;

  constructor(redisUrl, replica) {
    this.#redis = connect(redisUrl);
    this.#subscriber = connect(redisUrl);
    this.#prefix = `skeleton:log:${replica}`;
  }

  publish(channel, text) {
    void this.#redis.publish(channel, text);
  }

  /** Writes a message into the hash of its sequence number. */
  write(sequence, field, text) {
    void this.#redis.hset(`${this.#prefix}:${Math.floor(sequence / HASH_SPAN)}`, `${sequence}:${field}`, text);
  }

  /** To be told of each sequence number that was executed. */
  executed(sequence) {
    if (sequence % HASH_SPAN === 0) void this.#redis.unlink(`${this.#prefix}:${sequence / HASH_SPAN - 2}`);
  }

  async listen(names, onMessage) {
    this.#subscriber.on('message', onMessage);
    await this.#subscriber.subscribe(...names);
  }
}
