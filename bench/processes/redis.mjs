import { mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startEmbeddedRedis } from '../../dist/cluster/embedded-redis.js';

/** A connection to a Redis as its URL names it. */
export function connect(url) {
  return /^(\/|unix:)/.test(url) ? new Redis({ path: url.replace(/^unix:(\/\/)?/, '') }) : new Redis(url);
}

/** A folder that is gone at the end. */
export async function temporaryFolder(cleanUp, parent = tmpdir()) {
  const folder = await mkdtemp(join(parent, 'quorate-bench-'));
  cleanUp.add(
    () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  return folder;
}

/**
 * A Redis of the bench's own, the one that `quorate up` would start, in a folder that is gone at the end.
 *
 * @param {{ parent?: string, appendfsync?: 'always' | 'everysec' | 'no', cacheDir: string }} options
 */
export async function startRedis(cleanUp, { parent, appendfsync = 'always', cacheDir }) {
  const dataDir = await temporaryFolder(cleanUp, parent);
  const redis = await startEmbeddedRedis({ dataDir, cacheDir, report: () => undefined });
  cleanUp.add(
    () => redis.stop(),
    () => redis.kill(),
  );
  const control = connect(redis.url);
  cleanUp.add(() => control.disconnect());
  await control.config('SET', 'appendfsync', appendfsync);
  const version = /redis_version:(\S+)/.exec(await control.info('server'))?.[1] ?? 'unknown';
  return { url: redis.url, control, version, appendfsync, description: redis.source.description };
}
