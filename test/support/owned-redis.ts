import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startEmbeddedRedis, type EmbeddedRedis } from '../../src/cluster/embedded-redis.js';
import { pingRedis } from '../../src/cluster/redis-ping.js';
import { processEnvironment, readSettings } from '../../src/config/settings.js';
import { eventually } from './cluster-waiting.js';

/** Redis's own folders and files below its data folder. */
const dataOf = ['appendonlydir', 'dump.rdb', 'appendonly.aof'];

/** A real Redis for one test file alone, which may do to it what it likes: it is a process on this machine. */
export class OwnedRedis {
  private constructor(
    private readonly dataDir: string,
    private readonly cacheDir: string,
    private server: EmbeddedRedis,
  ) {}

  /** Listens on TCP, so that a wire can be put in between. */
  static async start(): Promise<OwnedRedis> {
    const dataDir = await mkdtemp(join(tmpdir(), 'quorate-redis-'));
    const { cacheDir } = readSettings({}, { XDG_CACHE_HOME: processEnvironment()['XDG_CACHE_HOME'] });
    const options = { dataDir, cacheDir, preferLoopbackPort: true, report: () => undefined };
    return new OwnedRedis(dataDir, cacheDir, await startEmbeddedRedis(options));
  }

  get url(): string {
    return this.server.url;
  }

  /** Where it keeps its data. */
  get folder(): string {
    return join(this.dataDir, 'redis');
  }

  /** Asks it something over a connection of its own. */
  async ask<T>(use: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url);
    try {
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.server.kill();
    await this.server.child.ended;
    await eventually('Redis is gone', async () => (await pingRedis(this.server.address, 1_000)) === 'absent');
  }

  /** Deletes its data, while it does not run. */
  async wipe(): Promise<void> {
    for (const name of dataOf) await rm(join(this.folder, name), { recursive: true, force: true });
  }

  /** Starts it where it was, on what is left of its data. */
  async restart(): Promise<void> {
    const { dataDir, cacheDir } = this;
    const { address, source } = this.server;
    this.server = await startEmbeddedRedis({ dataDir, cacheDir, address, source, report: () => undefined });
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
