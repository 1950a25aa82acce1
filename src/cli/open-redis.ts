import type { Settings } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import { Connection } from '../redis/connection.js';

/** @throws {QuorateError} `invalid-setting` when no Redis was named. */
export function requireRedisUrl({ redisUrl }: Settings): string {
  if (redisUrl !== undefined) return redisUrl;
  throw new QuorateError('invalid-setting', 'REDIS_URL is not set: it should be the URL of the Redis of this cluster', {
    setting: 'REDIS_URL',
    expected: 'redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH',
  });
}

/** Opens a connection and has it closed at the end. */
export async function openRedis(url: string | undefined, cleanUp: (() => Promise<void> | void)[]): Promise<Connection> {
  const connection = new Connection(url ?? '');
  cleanUp.push(() => connection.close());
  await connection.open();
  return connection;
}
