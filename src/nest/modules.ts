import { Server } from 'node:http';
import { Server as SecureServer } from 'node:https';
import {
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import {
  createGateway,
  createMountableGateway,
  createReplica,
  type EmbeddedGateway,
  type EmbeddedReplica,
  type EmbeddingOptions,
  type MountableGateway,
  type ReplicaOptions,
} from '../embedding/embedding.js';
import { QuorateError } from '../errors.js';
import { QuorateClient } from '../sdk/client.js';

/** Options that come from other providers, a configuration service say. */
export interface AsyncOptions<Options> extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject'];
  /** Gets what `inject` names, in that order. */
  readonly useFactory: (...dependencies: never[]) => Options | Promise<Options>;
}

/** A gateway of `GatewayModule`. */
export interface GatewayModuleOptions extends EmbeddingOptions {
  /**
   * Where the gateway listens, on a port of its own with its own limits, pages and probes; 0 is any free one. Without it the API is
   * served by the application itself, wherever that listens: the setting PORT of the environment is then the application's.
   */
  readonly port?: number | undefined;
  /**
   * In the application: what comes before `/v1`, such as `/quorate`. Everything below it is then the gateway's, also `/docs`,
   * `/openapi.json`, `/metrics`, `/health/live` and `/health/ready`. Without it the gateway has `/v1` alone.
   */
  readonly path?: string | undefined;
}

/** Is on the application's server once that is there. Stops before replicas, so that it can finish what it took. */
class RunningGateway implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    readonly gateway: EmbeddedGateway | MountableGateway,
    private readonly host: HttpAdapterHost,
  ) {}

  async onModuleInit(): Promise<void> {
    if (!('mountOn' in this.gateway)) return;
    // Nest says that there is always one; a context without HTTP has none.
    const adapter = this.host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    const server = adapter?.getHttpServer() as unknown;
    if (server instanceof Server || server instanceof SecureServer) {
      this.gateway.mountOn(server as Server);
      return;
    }
    await this.gateway.stop();
    const text =
      'port is not given, and the application has no HTTP server that could serve the API: give the gateway a port';
    throw new QuorateError('invalid-setting', text);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.gateway.stop();
  }
}

async function startGateway({ path, ...options }: GatewayModuleOptions): Promise<EmbeddedGateway | MountableGateway> {
  if (options.port === undefined) return await createMountableGateway(options, path);
  if (path === undefined) return await createGateway(options);
  throw new QuorateError('invalid-setting', 'path is for a gateway inside the application; one with a port has none');
}

/** Stops what it holds when the application shuts down. */
class RunningReplica implements OnApplicationShutdown {
  constructor(readonly replica: EmbeddedReplica) {}

  async onApplicationShutdown(): Promise<void> {
    await this.replica.stop();
  }
}

/**
 * Runs one replica for as long as the application lives. The application is ready once the replica takes part; a start that
 * fails makes `NestFactory.create` reject with the `QuorateError`. Call `app.enableShutdownHooks()`, so that signals stop it.
 */
@Module({})
export class ReplicaModule {
  /** With options that are known when the module is written. */
  static forRoot(options: ReplicaOptions): DynamicModule {
    return ReplicaModule.forRootAsync({ useFactory: () => options });
  }

  /** With options that a factory makes of other providers. */
  static forRootAsync({ imports = [], inject = [], useFactory }: AsyncOptions<ReplicaOptions>): DynamicModule {
    const start = async (...dependencies: never[]): Promise<RunningReplica> =>
      new RunningReplica(await createReplica(await useFactory(...dependencies)));
    return { module: ReplicaModule, imports, providers: [{ provide: RunningReplica, inject, useFactory: start }] };
  }
}

/**
 * Runs a gateway for as long as the application lives, and has `QuorateClient` injected everywhere. The `/v1` API is served by the
 * application itself, beside its own controllers, or with `port` on a port of its own. The application's global prefix, pipes, guards,
 * filters, middlewares and CORS do not apply to it, and it changes nothing about them. Needs an adapter over a server of Node.js
 * (Express, say). Call `app.enableShutdownHooks()`, so that signals stop it in order.
 */
@Module({})
export class GatewayModule {
  /** With options that are known when the module is written. */
  static forRoot(options: GatewayModuleOptions): DynamicModule {
    return GatewayModule.forRootAsync({ useFactory: () => options });
  }

  /** With options that a factory makes of other providers. */
  static forRootAsync({ imports = [], inject = [], useFactory }: AsyncOptions<GatewayModuleOptions>): DynamicModule {
    const start = async (host: HttpAdapterHost, ...dependencies: never[]): Promise<RunningGateway> =>
      new RunningGateway(await startGateway(await useFactory(...dependencies)), host);
    return {
      module: GatewayModule,
      global: true,
      imports,
      providers: [
        { provide: RunningGateway, inject: [HttpAdapterHost, ...inject], useFactory: start },
        {
          provide: QuorateClient,
          inject: [RunningGateway],
          useFactory: ({ gateway }: RunningGateway): QuorateClient => gateway.client,
        },
      ],
      exports: [QuorateClient],
    };
  }
}
