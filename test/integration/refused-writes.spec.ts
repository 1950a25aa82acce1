import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { poll } from '../../src/cluster/poll.js';
import { eventually } from '../support/cluster-waiting.js';
import type { OwnedRedis } from '../support/owned-redis.js';
import { RedisCluster } from '../support/redis-cluster.js';

jest.setTimeout(120_000);

const increment = { op: 'increment', key: 'n' };
/** A status goes out twice a second; after so many, whatever was under way is out, too. */
const statuses = 4;

interface Refusal {
  /** What Redis begins its refusals with. */
  readonly word: string;
  readonly begin: (redis: OwnedRedis) => Promise<unknown>;
  readonly end: (redis: OwnedRedis) => Promise<unknown>;
}

const config = async (redis: OwnedRedis, name: string, value: string): Promise<unknown> =>
  await redis.ask(async (connection) => await connection.config('SET', name, value));

/** Has Redis write its data to a file, and waits for how that ends. */
const save = async (redis: OwnedRedis, ending: 'ok' | 'err'): Promise<void> => {
  await redis.ask(async (connection) => {
    await connection.bgsave();
    const hasEnded = async (): Promise<true | undefined> => {
      const info = await connection.info('persistence');
      const isIdle = info.includes('rdb_bgsave_in_progress:0');
      return isIdle && info.includes(`rdb_last_bgsave_status:${ending}`) ? true : undefined;
    };
    expect(await poll(20_000, hasEnded)).toBe(true);
  });
};

const refusals: readonly Refusal[] = [
  {
    word: 'OOM',
    begin: async (redis) => await config(redis, 'maxmemory', '1'),
    end: async (redis) => await config(redis, 'maxmemory', '0'),
  },
  {
    word: 'READONLY',
    begin: async (redis) => await redis.ask(async (connection) => await connection.replicaof('127.0.0.1', 1)),
    end: async (redis) => await redis.ask(async (connection) => await connection.replicaof('NO', 'ONE')),
  },
  {
    word: 'MISCONF',
    // It cannot save: where its file should be there is a folder.
    begin: async (redis) => {
      await mkdir(join(redis.folder, 'dump.rdb'));
      await config(redis, 'save', '86400 1000000');
      await save(redis, 'err');
    },
    end: async (redis) => {
      await rm(join(redis.folder, 'dump.rdb'), { recursive: true });
      await save(redis, 'ok');
      await config(redis, 'save', '');
    },
  },
];

describe('a Redis that refuses writes', () => {
  let cluster: RedisCluster;

  beforeAll(async () => (cluster = await RedisCluster.start()));
  afterAll(async () => await cluster.stop());

  it.each(refusals)('with $word: nobody votes, all say why, and all go on when it takes them', async (refusal) => {
    const { client, redis, names, votes } = cluster;
    const before = (await cluster.increment(increment)) ?? 0;
    const connections = names.map((name) => cluster.wire(name).accepted);
    await refusal.begin(redis);
    const waiting = cluster.increment(increment);
    await eventually('all say why they do not vote', () =>
      client.status().replicas.every(({ connected, voting, notVoting }) => {
        return (
          connected && voting === false && notVoting?.startsWith(`Redis refuses writes: ${refusal.word} `) === true
        );
      }),
    );

    const heard = votes.frames.length;
    const more = cluster.increment(increment);
    await cluster.statuses(statuses);
    expect(votes.frames.length).toBe(heard);
    // A PING that is refused is an answer, too.
    expect(names.map((name) => cluster.wire(name).accepted)).toEqual(connections);

    await refusal.end(redis);
    expect(new Set([await waiting, await more])).toEqual(new Set([before + 1, before + 2]));
    await cluster.agreement();
    expect(cluster.violations).toEqual([]);
  });
});
