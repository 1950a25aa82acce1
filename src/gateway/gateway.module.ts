import { Module, type DynamicModule } from '@nestjs/common';
import type { ClusterClient } from '../client/cluster-client.js';
import { Feed } from '../client/feed.js';
import { Access, AccessGuard } from './access.js';
import { Admission, AdmissionGuard } from './admission.js';
import { BatchController } from './batch.controller.js';
import { AsyncRequestsController } from './async-requests.controller.js';
import { ClusterController } from './cluster.controller.js';
import { Connections } from './connections.js';
import { JsonBodyPipe } from './json-body.js';
import { EventStreams } from './events/event-streams.js';
import { EventsController } from './events/events.controller.js';
import { GatewayMetrics } from './metrics.js';
import { OperatingController } from './operating.controller.js';
import { OperationPipe } from './operation.js';
import { ASYNC_REQUESTS, CLUSTER_CLIENT, GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { MetricsGuard } from './operator.js';
import { PageController } from './page.controller.js';
import { KeyValueController, LogController } from './reads.controller.js';
import { RequestsController } from './requests.controller.js';
import { RouteTable } from './route-table.js';
import { StateController } from './state.controller.js';

/** The gateway's HTTP edge over a client that is there already. */
@Module({})
export class GatewayModule {
  static forRoot(client: ClusterClient, options: GatewayOptions): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [
        RequestsController,
        BatchController,
        ...(options.queue === undefined ? [] : [AsyncRequestsController]),
        ...(options.stateMachine.query === undefined ? [] : [KeyValueController]),
        EventsController,
        LogController,
        StateController,
        ClusterController,
        OperatingController,
        ...(options.mountedAt === undefined ? [PageController] : []),
      ],
      providers: [
        { provide: CLUSTER_CLIENT, useValue: client },
        { provide: GATEWAY_OPTIONS, useValue: options },
        { provide: ASYNC_REQUESTS, useValue: options.queue },
        Access,
        AccessGuard,
        MetricsGuard,
        Connections,
        Admission,
        AdmissionGuard,
        EventStreams,
        { provide: Feed, useFactory: () => new Feed(client) },
        GatewayMetrics,
        JsonBodyPipe,
        OperationPipe,
        RouteTable,
      ],
    };
  }
}
