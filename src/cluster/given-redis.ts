import { withoutCredentials } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import { assertNoEviction, Connection } from '../redis/connection.js';

/**
 * Looks at a Redis that somebody else runs before a cluster is started on it.
 * @throws {QuorateError} `bus-unavailable` when it does not answer, `unsafe-redis` when it may lose keys
 */
export async function checkGivenRedis(url: string): Promise<void> {
  const connection = new Connection(url);
  try {
    await connection.open();
    await assertNoEviction(connection);
  } catch (error) {
    if (!(error instanceof QuorateError) || error.code !== 'bus-unavailable') throw error;
    const text = `REDIS_URL is ${withoutCredentials(url)}, but ${error.message}`;
    throw new QuorateError('bus-unavailable', text, {}, { cause: error });
  } finally {
    await connection.close();
  }
}
