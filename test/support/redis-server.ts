import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisContainer } from '@testcontainers/redis';
import { dockerEngineVersion, REDIS_IMAGE } from '../../src/cluster/docker-engine.js';
import { startEmbeddedRedis } from '../../src/cluster/embedded-redis.js';
import { processEnvironment, readSettings } from '../../src/config/settings.js';

/** A real Redis for the specs of one file. */
export interface TestRedis {
  readonly url: string;
  /** Which one it is, for people. */
  readonly description: string;
  stop(): Promise<void>;
}

/**
 * With a Docker engine a Redis from Testcontainers; without one the same real Redis that `npm start` starts, in a folder that
 * goes with it. Empty, for the caller alone, and reached over TCP either way, so that a spec may put a proxy in between.
 * @throws when QUORATE_REQUIRE_DOCKER=1 and no engine answers
 */
export async function startTestRedis(): Promise<TestRedis> {
  const engine = await dockerEngineVersion();
  if (engine !== undefined) return await fromTestcontainers(engine);
  if (processEnvironment()['QUORATE_REQUIRE_DOCKER'] === '1') {
    throw new Error('no Docker engine answers, and QUORATE_REQUIRE_DOCKER=1 says that one must');
  }
  return await embedded();
}

async function fromTestcontainers(engine: string): Promise<TestRedis> {
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
  const container = await new RedisContainer(REDIS_IMAGE).withCommand(['redis-server', ...durable]).start();
  return {
    url: container.getConnectionUrl(),
    description: `${REDIS_IMAGE} from Testcontainers in Docker ${engine}`,
    async stop() {
      await container.stop();
    },
  };
}

async function embedded(): Promise<TestRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'quorate-test-'));
  const { cacheDir } = readSettings({}, { XDG_CACHE_HOME: processEnvironment()['XDG_CACHE_HOME'] });
  const removeFolder = async (): Promise<void> => {
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const redis = await startEmbeddedRedis({ dataDir, cacheDir, preferLoopbackPort: true, report: () => undefined });
    return {
      url: redis.url,
      description: redis.source.description,
      async stop() {
        await redis.stop();
        await removeFolder();
      },
    };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
