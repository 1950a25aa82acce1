import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ClusterClient, ClusterStatus } from '../client/cluster-client.js';
import type { MembershipDocument } from '../crypto/membership.js';
import { AnyClient } from './access.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { CLUSTER_CLIENT } from './options.js';
import { QueryParametersGuard } from './query-parameters.js';

/** What the gateway knows without asking: answered even when the gateway is overloaded. */
@ApiTags('cluster')
@AnyClient()
@Controller('v1')
@UseGuards(QueryParametersGuard)
export class ClusterController {
  constructor(@Inject(CLUSTER_CLIENT) private readonly client: ClusterClient) {}

  @Get('status')
  @ApiOperation({ operationId: 'getStatus', summary: 'The cluster as its replicas, by their own word, describe it.' })
  @ApiOkResponse({ description: 'The status.', schema: schemaRef('Status') })
  @ApiProblems('invalid-request', 'bus-unavailable', 'shutting-down')
  status(): ClusterStatus {
    return this.client.status();
  }

  @Get('membership')
  @ApiOperation({ operationId: 'getMembership', summary: "The genesis, the epoch and the replicas' public keys." })
  @ApiOkResponse({ description: 'What receipts are verified against.', schema: schemaRef('Membership') })
  @ApiProblems('invalid-request', 'bus-unavailable', 'shutting-down')
  membership(): MembershipDocument {
    return this.client.membership();
  }
}
