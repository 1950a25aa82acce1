import {
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationShutdown,
} from '@nestjs/common';
import {
  createGateway,
  createReplica,
  type EmbeddedGateway,
  type EmbeddedReplica,
  type EmbeddingOptions,
  type ReplicaOptions,
} from '../embedding/embedding.js';
import { QuorateClient } from '../sdk/client.js';

/** Options that come from other providers, a configuration service say. */
export interface AsyncOptions<Options> extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject'];
  /** Gets what `inject` names, in that order. */
  readonly useFactory: (...dependencies: never[]) => Options | Promise<Options>;
}

/** Stops what it holds when the application shuts down: gateways first, so that they can finish what they took. */
class RunningGateway implements BeforeApplicationShutdown {
  constructor(readonly gateway: EmbeddedGateway) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.gateway.stop();
  }
}

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
 * Runs a gateway for as long as the application lives, and has `QuorateClient` injected everywhere. The `/v1` API has a port
 * of its own (`port`, `host`), with its own limits, beside whatever the application listens on.
 */
@Module({})
export class GatewayModule {
  /** With options that are known when the module is written. */
  static forRoot(options: EmbeddingOptions): DynamicModule {
    return GatewayModule.forRootAsync({ useFactory: () => options });
  }

  /** With options that a factory makes of other providers. */
  static forRootAsync({ imports = [], inject = [], useFactory }: AsyncOptions<EmbeddingOptions>): DynamicModule {
    const start = async (...dependencies: never[]): Promise<RunningGateway> =>
      new RunningGateway(await createGateway(await useFactory(...dependencies)));
    return {
      module: GatewayModule,
      global: true,
      imports,
      providers: [
        { provide: RunningGateway, inject, useFactory: start },
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
