import { processorUs, redisProcessorUs } from '../measure/processor-time.mjs';
import { Program } from './program.mjs';

const REPLICA = new URL('../skeleton/replica.mjs', import.meta.url);
const GATEWAY = new URL('../skeleton/gateway.mjs', import.meta.url);

/**
 * The floor: processes that exchange PBFT's messages over this Redis and do nothing else (bench/skeleton). A load, as
 * `rounds.mjs` drives it.
 */
export async function startSkeleton(cleanUp, { redis, replicas = 4, writesHashes = true }) {
  const options = { redisUrl: redis.url, replicas, writesHashes };
  const start = async (name, file, more) => {
    const program = new Program({ name, file, options: { ...options, ...more } });
    cleanUp.add(
      () => program.stop(),
      () => program.kill(),
    );
    await program.ready;
    await program.ask('open');
    return program;
  };
  const indexes = Array.from({ length: replicas }, (_, self) => self);
  const members = await Promise.all(indexes.map((self) => start(`skeleton-${self}`, REPLICA, { self })));
  const gateway = await start('skeleton-gateway', GATEWAY, {});
  cleanUp.add(async () => {
    const keys = await redis.control.keys('skeleton:*');
    if (keys.length > 0) await redis.control.unlink(...keys);
  });
  return {
    ask: (method, argument, timeoutMs) => gateway.ask(method, argument, timeoutMs),
    processIds: () => Object.fromEntries([gateway, ...members].map(({ name, pid }) => [name, pid])),
    async processorTime() {
      const [primary, ...backups] = await Promise.all(members.map(({ pid }) => processorUs(pid)));
      return {
        client: await processorUs(gateway.pid),
        primary,
        backup: backups.includes(undefined) ? undefined : backups.reduce((sum, us) => sum + us, 0) / backups.length,
        redis: await redisProcessorUs(redis.control),
      };
    },
  };
}
