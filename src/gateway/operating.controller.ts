import { Controller, Get, Inject, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { ClusterClient } from '../client/cluster-client.js';
import { Public } from './access.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { Connections } from './connections.js';
import { GatewayMetrics } from './metrics.js';
import { CLUSTER_CLIENT } from './options.js';
import { MetricsGuard } from './operator.js';
import { HttpProblem, type ProblemCode } from './problem.js';

/** What readiness rests on. */
export interface Readiness {
  readonly shuttingDown: boolean;
  readonly busConnected: boolean;
  /** How many replicas the gateway hears, and how many it takes; `null` while nothing is known of the cluster. */
  readonly replicasConnected: number | null;
  readonly quorum: number | null;
}

/** Probes and metrics: never counted as requests in flight, and answered while the gateway shuts down. */
@ApiTags('operating')
@Public()
@Controller()
export class OperatingController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(GatewayMetrics) private readonly metrics: GatewayMetrics,
  ) {}

  @Get('health/live')
  @ApiOperation({ operationId: 'getLive', summary: 'Whether the process works at all.' })
  @ApiOkResponse({ description: 'It does.', schema: schemaRef('Live') })
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  @Get('health/ready')
  @ApiOperation({ operationId: 'getReady', summary: 'Whether requests are likely to be answered.' })
  @ApiOkResponse({ description: 'They are.', schema: schemaRef('Ready') })
  @ApiProblems('bus-unavailable', 'shutting-down')
  ready(): Readiness & { status: 'ready' } {
    const checks = this.#check();
    const why = whyNotReady(checks);
    if (why === undefined) return { status: 'ready', ...checks };
    const [code, detail] = why;
    throw new HttpProblem(code, detail, { status: 503, details: { ...checks }, headers: { 'Retry-After': '1' } });
  }

  @Get('metrics')
  @ApiOperation({ operationId: 'getMetrics', summary: 'Metrics for Prometheus.' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'In the text format.', schema: { type: 'string' } })
  @UseGuards(MetricsGuard)
  async showMetrics(@Res({ passthrough: true }) response: Response): Promise<string> {
    response.setHeader('Content-Type', this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }

  #check(): Readiness {
    const shuttingDown = this.connections.draining;
    const busConnected = this.client.connected;
    try {
      const { replicas, quorum } = this.client.status();
      return { shuttingDown, busConnected, replicasConnected: replicas.filter((r) => r.connected).length, quorum };
    } catch {
      return { shuttingDown, busConnected, replicasConnected: null, quorum: null };
    }
  }
}

function whyNotReady(checks: Readiness): [ProblemCode, string] | undefined {
  const { shuttingDown, busConnected, replicasConnected, quorum } = checks;
  if (shuttingDown) return ['shutting-down', 'The gateway is shutting down.'];
  if (!busConnected) return ['bus-unavailable', 'The bus does not answer.'];
  if (replicasConnected === null || quorum === null) return ['no-quorum', 'Nothing is known of the cluster yet.'];
  if (replicasConnected >= quorum) return undefined;
  return ['no-quorum', `${String(replicasConnected)} replicas are connected, and it takes ${String(quorum)}.`];
}
