import { generateKeyPairSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Module, type INestApplication, type INestApplicationContext } from '@nestjs/common';
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
  type GatewayModuleOptions,
  type Json,
  type OperationContext,
} from '../../src/index.js';
import { freePort } from '../../src/cluster/ports.js';
import { Shop, ShopFilter, ShopPipe } from '../support/nest-shop.js';
import { startTestRedis, type TestRedis } from '../support/redis-server.js';
import { temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

/** The key-value service, which says who has signed. */
class SignedKeyValue extends KeyValue {
  readonly signatures = 'optional';

  override apply(operation: Parameters<KeyValue['apply']>[0], context: OperationContext): Json {
    const result = super.apply(operation, context) as Record<string, Json>;
    return context.signer === undefined ? result : { ...result, signer: context.signer };
  }
}

@Module({})
class Part {}

@Module({})
class Whole {}

describe('a cluster inside other programs', () => {
  let redis: TestRedis;
  let folder: string;
  let replicas: readonly EmbeddedReplica[];
  let app: INestApplicationContext;
  let port: number;
  const gatewayUrl = () => `http://127.0.0.1:${port}`;
  const context = { logger: false, abortOnError: false } as const;

  const shared = () => ({
    redisUrl: redis.url,
    dataDir: folder,
    cluster: 'embedded',
    logLevel: 'silent' as const,
    stateMachine: SignedKeyValue,
  });

  beforeAll(async () => {
    redis = await startTestRedis();
    folder = await temporaryFolder();
    port = await freePort();
    const replica = {
      module: Part,
      imports: [ReplicaModule.forRootAsync({ useFactory: () => ({ ...shared(), replicaId: 'd' }) })],
    };
    const gateway = GatewayModule.forRoot({
      ...shared(),
      stateMachine: new SignedKeyValue(),
      gatewayId: 'front',
      port,
    });
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
    for await (const { type, id, data } of client.events({ after: reply.sequence - 1 })) {
      if (type !== 'committed') continue;
      expect([id, data]).toMatchObject([reply.sequence, { requests: [{ id: reply.id }] }]);
      break;
    }
    await client.close();
  });

  it("executes what a user has signed in the user's name, over HTTP and over the bus, and no copy of it", async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signer = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('base64');
    const inside = app.get(QuorateClient);
    const { membership } = inside;
    const http = await connect({ url: gatewayUrl(), membership });
    const result = { ok: true, value: 1, signer };
    const overHttp = await http.submit({ op: 'increment', key: 'signed-a' }, { signWith: privateKey });
    const overBus = await inside.submit({ op: 'increment', key: 'signed-b' }, { signWith: privateKey });
    expect([overHttp.result, overBus.result]).toEqual([result, result]);
    expect((await inside.submit({ op: 'increment', key: 'plain' })).result).toEqual({ ok: true, value: 1 });

    const envelope = async (operation: Json): Promise<Json> => {
      let sent: Json = null;
      const spied = await connect({
        ...{ url: gatewayUrl(), membership },
        fetch: (...call) => {
          const { body } = call[1] ?? {};
          if (typeof body === 'string') sent = (JSON.parse(body) as { operation: Json }).operation;
          return fetch(...call);
        },
      });
      await spied.submit(operation, { signWith: privateKey });
      return sent;
    };
    const copied = await envelope({ op: 'increment', key: 'signed-a' });
    const refused = { ok: false, error: { code: 'signed-for-another-key', message: expect.any(String) } };
    expect((await http.submit(copied)).result).toEqual(refused);
    const altered = structuredClone(copied) as { $signed: { operation: Json } };
    altered.$signed.operation = { op: 'increment', key: 'signed-a', by: 1000 };
    await expect(http.submit(altered as unknown as Json)).rejects.toMatchObject({ code: 'invalid-request' });
    expect(await inside.query('signed-a')).toMatchObject({ value: 2 });
    for await (const { type, id, data } of http.events({ after: overHttp.sequence - 1 })) {
      if (type !== 'committed') continue;
      expect([id, data]).toMatchObject([overHttp.sequence, { requests: [{ id: overHttp.id }] }]);
      break;
    }
    await http.close();
  });

  describe('in an application with routes of its own', () => {
    let shop: INestApplication;
    let url: string;
    const pipe = new ShopPipe();

    const ask = async (path: string, body?: object, headers: Record<string, string> = {}) => {
      const init = {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      };
      const response = await fetch(url + path, body === undefined ? { headers } : init);
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as { readonly id?: string },
      };
    };

    /** Nobody answers there, the gateway least of all. */
    const expectNotOurs = async (path: string): Promise<void> => {
      const { status, headers } = await fetch(url + path);
      expect([path, status, headers.get('content-type')]).toEqual([path, 404, 'text/html; charset=utf-8']);
    };

    const open = async (options: Partial<GatewayModuleOptions>): Promise<INestApplication> => {
      const gateway = GatewayModule.forRootAsync({
        imports: [Part],
        useFactory: () => Promise.resolve({ ...shared(), ...options }),
      });
      const opened = await NestFactory.create(Shop.over(gateway), { ...context });
      opened.setGlobalPrefix('api').useGlobalPipes(pipe).useGlobalFilters(new ShopFilter()).enableCors();
      await opened.listen(0, '127.0.0.1');
      return opened;
    };

    beforeAll(async () => {
      shop = await open({ gatewayId: 'shop' });
      url = await shop.getUrl();
    });

    afterAll(() => shop.close());

    it('serves /v1 beside them, as any gateway does', async () => {
      const cluster = await connect({ url, membership: app.get(QuorateClient).membership });
      const reply = await cluster.submit({ op: 'put', key: 'shop', value: 'open' });
      expect(reply.result).toEqual({ ok: true });
      expect(await cluster.query('shop')).toMatchObject({ value: 'open' });
      for await (const { type, id } of cluster.events({ after: reply.sequence - 1 })) {
        if (type !== 'committed') continue;
        expect(id).toBe(reply.sequence);
        break;
      }
      await cluster.close();
      const refused = await ask('/v1/requests', { operation: { op: 'no such' } });
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
      const taken = await ask('/v1/requests', { operation: { op: 'get', key: 'shop' } }, { prefer: 'respond-async' });
      expect(taken.status).toBe(202);
      expect((await ask(taken.headers.get('location')!)).body).toMatchObject({ id: taken.body.id });
    });

    it("leaves the application's prefix, pipes and filters to the application, which has the client injected", async () => {
      pipe.seen.length = 0;
      const seenBy = 'the pipe of the shop';
      expect((await ask('/api/orders', { id: '17' })).body).toEqual({ result: { ok: true }, seenBy });
      expect((await ask('/api/orders/17')).body).toEqual({ value: seenBy });
      expect(pipe.seen).toEqual([{ id: '17' }, '17']);
      expect(await ask('/api/orders/18')).toMatchObject({ status: 404, body: { shop: 'no such order' } });
      expect(await ask('/api/v1/requests')).toMatchObject({ status: 404, body: { shop: expect.any(String) } });
      for (const path of ['/v1x', '/metrics', '/docs', '/']) await expectNotOurs(path);
      expect(await ask('/v1/nothing')).toMatchObject({ status: 404, body: { code: 'not-found' } });
    });

    it('has everything below a path when it is given one', async () => {
      const there = await open({ gatewayId: 'below', path: '/agreed/by' });
      const before = url;
      url = await there.getUrl();
      const operation = { op: 'get', key: 'shop' };
      const taken = await ask('/agreed/by/v1/requests', { operation }, { prefer: 'respond-async' });
      expect(taken.headers.get('location')).toBe(`/agreed/by/v1/requests/${taken.body.id}`);
      expect((await ask('/agreed/by/openapi.json')).body).toMatchObject({ servers: [{ url: '/agreed/by' }] });
      expect((await ask('/agreed/by/health/live')).status).toBe(200);
      expect(await (await fetch(`${url}/agreed/by/metrics`)).text()).toContain('quorate_gateway_in_flight');
      expect(await (await fetch(`${url}/agreed/by/docs`)).text()).toContain('swagger-ui');
      await expectNotOurs('/v1/status');
      const cluster = await connect({ url: `${url}/agreed/by`, trustGateway: true });
      expect((await cluster.submit(operation)).result).toMatchObject({ ok: true });
      await cluster.close();
      await there.close();
      url = before;
    });

    it('ends in order: streams too, and nothing is taken after that', async () => {
      const ending = await open({ gatewayId: 'ending' });
      const cluster = ending.get(QuorateClient);
      const response = await fetch(`${await ending.getUrl()}/v1/events`);
      const streamed = response.text();
      const events = cluster.events().next();
      await ending.close();
      expect(await streamed).toEqual(expect.any(String));
      expect(await events).toMatchObject({ done: true });
      await expect(cluster.submit({ op: 'get', key: 'a' })).rejects.toMatchObject({ code: 'shutting-down' });
    });

    it('says so when it can be nowhere', async () => {
      const module = GatewayModule.forRoot({ ...shared(), gatewayId: 'nowhere' });
      await expect(NestFactory.createApplicationContext(module, context)).rejects.toMatchObject({
        code: 'invalid-setting',
      });
      for (const options of [{ path: 'quorate' }, { path: '/quorate/' }, { path: '/a', port: 0 }]) {
        await expect(open({ gatewayId: 'nowhere', ...options })).rejects.toMatchObject({ code: 'invalid-setting' });
      }
    });
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
