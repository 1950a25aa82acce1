import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { QuorateError } from '../errors.js';
import type { RateLimiter } from '../ports/rate-limiter.js';
import type { Connection } from './connection.js';

const minuteS = 60;
/** Different rates that are remembered; there is one for each that the access file names. */
const limitersMax = 1_000;

/** Counts in Redis, which all gateways share. */
export class RedisRateLimiter implements RateLimiter {
  private readonly limiters = new Map<number, RateLimiterRedis>();

  /** @param prefix `Keys.rate` */
  constructor(
    private readonly connection: Connection,
    private readonly prefix: string,
  ) {}

  async take(client: string, perMinute: number): Promise<number> {
    try {
      await this.limiter(perMinute).consume(client);
      return 0;
    } catch (error) {
      if (error instanceof RateLimiterRes) return Math.max(1, error.msBeforeNext);
      throw new QuorateError('bus-unavailable', 'The counts of requests cannot be reached.', {}, { cause: error });
    }
  }

  private limiter(points: number): RateLimiterRedis {
    const known = this.limiters.get(points);
    if (known !== undefined) return known;
    if (this.limiters.size >= limitersMax) this.limiters.clear();
    const limiter = new RateLimiterRedis({
      storeClient: this.connection.redis,
      keyPrefix: this.prefix,
      points,
      duration: minuteS,
      rejectIfRedisNotReady: true,
      // Who has used everything up is refused from memory until the minute is over: a flood costs Redis nothing.
      inMemoryBlockOnConsumed: points,
    });
    this.limiters.set(points, limiter);
    return limiter;
  }
}
