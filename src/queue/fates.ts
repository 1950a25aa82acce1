import type { Connection } from '../redis/connection.js';

/** What became of a request first: it went to the replicas, or it was cancelled before. Never both. */
export type Fate = 'proposed' | 'cancelled';

const field = 'fate';

/** KEYS[1]: the job's hash. ARGV[1]: the fate that it is to have, unless it has one. Answers the one that it has. */
const decideScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], '${field}', ARGV[1])
return redis.call('HGET', KEYS[1], '${field}')
`;

/**
 * Decides between proposing and cancelling, which may come from different gateways at once. The decision is a field of
 * the job's own hash: it outlives every process and goes when the job goes.
 */
export class Fates {
  constructor(
    private readonly connection: Connection,
    private readonly keyOf: (id: string) => string,
  ) {}

  /** @returns the fate that holds, which need not be `fate`; `undefined` when there is no such job */
  async decide(id: string, fate: Fate): Promise<Fate | undefined> {
    return asFate(await this.connection.redis.eval(decideScript, 1, this.keyOf(id), fate));
  }

  async of(id: string): Promise<Fate | undefined> {
    return asFate(await this.connection.redis.hget(this.keyOf(id), field));
  }
}

function asFate(value: unknown): Fate | undefined {
  return value === 'proposed' || value === 'cancelled' ? value : undefined;
}
