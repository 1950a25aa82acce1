import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  connect,
  createClient,
  createReplica,
  GatewayModule,
  KeyValue,
  QuorateClient,
  ReplicaModule,
  type EmbeddedReplica,
} from '../../src/index.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';
import { temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

@Module({})
class Part {}

@Module({})
class Whole {}

describe('a cluster inside other programs', () => {
  let redis: TestRedis;
  let folder: string;
  let replicas: readonly EmbeddedReplica[];
  let app: INestApplicationContext;
  const context = { logger: false, abortOnError: false } as const;

  const shared = () => ({
    redisUrl: redis.url,
    dataDir: folder,
    cluster: 'embedded',
    logLevel: 'silent' as const,
    stateMachine: KeyValue,
  });

  beforeAll(async () => {
    redis = await startTestRedis();
    folder = await temporaryFolder();
    const replica = {
      module: Part,
      imports: [ReplicaModule.forRootAsync({ useFactory: () => ({ ...shared(), replicaId: 'd' }) })],
    };
    const gateway = GatewayModule.forRoot({ ...shared(), stateMachine: new KeyValue(), gatewayId: 'front', port: 0 });
    const root = { module: Whole, imports: [replica, gateway] };
    [replicas, app] = await Promise.all([
      Promise.all(['a', 'b', 'c'].map((replicaId) => createReplica({ ...shared(), replicaId }))),
      NestFactory.createApplicationContext(root, context),
    ]);
  });

  afterAll(async () => {
    await app.close();
    await Promise.all(replicas.map((replica) => replica.stop()));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers through the client that Nest injects', async () => {
    const client = app.get(QuorateClient);
    const reply = await client.submit({ op: 'put', key: 'a', value: 1 });
    expect(reply.result).toEqual({ ok: true });
    expect(client.verifyReceipt(reply)).toMatchObject({ cluster: 'embedded', result: { ok: true } });
    expect(await client.query('a')).toMatchObject({ value: 1, consistency: 'linearizable' });
    expect((await client.status()).replicas.map(({ replica }) => replica).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('answers who comes straight over the bus', async () => {
    const { stateMachine: _machine, ...settings } = shared();
    const client = await createClient({ ...settings, gatewayId: 'side' });
    const reply = await client.submit({ op: 'increment', key: 'n' }, { idempotencyKey: 'once' });
    expect(await client.submit({ op: 'increment', key: 'n' }, { idempotencyKey: 'once' })).toEqual(reply);
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(client.submit({ op: 'increment', key: 'n' }, { signal: aborted })).rejects.toThrow('enough');
    await client.close();
  });

  it('refuses a second replica with the same identity, and what is no setting', async () => {
    await expect(createReplica({ ...shared(), replicaId: 'a' })).rejects.toMatchObject({ code: 'identity-in-use' });
    await expect(createReplica({ ...shared(), batchSize: 0 })).rejects.toMatchObject({ code: 'invalid-setting' });
    const strange = { ...shared(), colour: 'red' };
    await expect(createReplica(strange)).rejects.toMatchObject({ code: 'invalid-setting' });
    const noMachine = { ...shared(), stateMachine: {} as never };
    await expect(createReplica(noMachine)).rejects.toMatchObject({ code: 'invalid-setting' });
  });

  it('gives a start up when it is told to, or when it cannot be', async () => {
    const other = { ...shared(), cluster: 'never-founded', dataDir: join(folder, 'never'), replicaId: 'a' };
    const abort = new AbortController();
    const start = createReplica({ ...other, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(start).rejects.toThrow('enough');
    const nowhere = ReplicaModule.forRoot({ ...other, redisUrl: 'redis://127.0.0.1:1' });
    await expect(NestFactory.createApplicationContext(nowhere, context)).rejects.toMatchObject({
      code: 'bus-unavailable',
    });
  });

  it('is refused a connection when another genesis is pinned', async () => {
    const { membership } = app.get(QuorateClient);
    const url = 'http://127.0.0.1:1';
    await expect(connect({ url, membership, genesis: '00'.repeat(32) })).rejects.toMatchObject({
      code: 'invalid-membership',
    });
    await expect(connect({ url })).rejects.toMatchObject({ code: 'invalid-setting' });
    const client = await connect({ url, membership, genesis: membership.genesis.digest });
    const genuine = await app.get(QuorateClient).submit({ op: 'get', key: 'a' });
    expect(client.verifyReceipt(JSON.stringify(genuine))).toMatchObject({ cluster: 'embedded' });
  });
});
