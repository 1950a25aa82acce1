import { Controller, Delete, Get, Inject, Param, Req, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { QuorateError } from '../errors.js';
import type { AsyncRequests, RequestStatus } from '../queue/async-requests.js';
import { Access, AnyClient } from './access.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { ASYNC_REQUESTS } from './options.js';
import { QueryParametersGuard } from './query-parameters.js';

const idParameter = { name: 'id', schema: { type: 'string', pattern: '^r[0-9a-f]{32}$' } } as const;

/** Only there when the gateway has a queue. */
@ApiTags('requests')
@AnyClient()
@Controller('v1/requests')
@UseGuards(QueryParametersGuard)
export class AsyncRequestsController {
  constructor(
    @Inject(ASYNC_REQUESTS) private readonly requests: AsyncRequests,
    @Inject(Access) private readonly access: Access,
  ) {}

  @Get(':id')
  @ApiOperation({
    operationId: 'getRequest',
    summary: 'How far an asynchronous request is, and its reply once it is there.',
    description: 'Outcomes are kept for a time that the operator sets (RESULTS_KEEP_S); after it, and for others, 404.',
  })
  @ApiParam(idParameter)
  @ApiOkResponse({ description: 'The request.', schema: schemaRef('RequestStatus') })
  @ApiProblems('invalid-request', 'not-found', 'bus-unavailable', 'shutting-down')
  async get(@Req() request: Request, @Param('id') id: string): Promise<RequestStatus> {
    const status = await this.requests.find(id, this.access.viewerOf(request));
    if (status !== undefined) return status;
    throw new QuorateError('not-found', 'There is no such asynchronous request, or its time is over.');
  }

  @Delete(':id')
  @ApiOperation({
    operationId: 'cancelRequest',
    summary: 'Cancels an asynchronous request that was not proposed to the replicas yet.',
    description: 'Once cancelled it is never executed, and stays cancelled under its Idempotency-Key.',
  })
  @ApiParam(idParameter)
  @ApiOkResponse({ description: 'It is cancelled.', schema: schemaRef('RequestStatus') })
  @ApiProblems('invalid-request', 'not-found', 'already-proposed', 'bus-unavailable', 'shutting-down')
  async cancel(@Req() request: Request, @Param('id') id: string): Promise<RequestStatus> {
    return await this.requests.cancel(id, this.access.viewerOf(request));
  }
}
