import { Controller, Delete, Get, Inject, Param, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { QuorateError } from '../errors.js';
import type { AsyncRequests, RequestStatus } from '../queue/async-requests.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { ASYNC_REQUESTS } from './options.js';
import { QueryParametersGuard } from './query-parameters.js';

const idParameter = { name: 'id', schema: { type: 'string', pattern: '^r[0-9a-f]{32}$' } } as const;

/** Only there when the gateway has a queue. */
@ApiTags('requests')
@Controller('v1/requests')
@UseGuards(QueryParametersGuard)
export class AsyncRequestsController {
  constructor(@Inject(ASYNC_REQUESTS) private readonly requests: AsyncRequests) {}

  @Get(':id')
  @ApiOperation({
    operationId: 'getRequest',
    summary: 'How far an asynchronous request is, and its reply once it is there.',
    description: 'Outcomes are kept for a time that the operator sets (RESULTS_KEEP_S); after it, and for others, 404.',
  })
  @ApiParam(idParameter)
  @ApiOkResponse({ description: 'The request.', schema: schemaRef('RequestStatus') })
  @ApiProblems('invalid-request', 'not-found', 'bus-unavailable', 'shutting-down')
  async get(@Param('id') id: string): Promise<RequestStatus> {
    const status = await this.requests.find(id, undefined);
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
  async cancel(@Param('id') id: string): Promise<RequestStatus> {
    return await this.requests.cancel(id, undefined);
  }
}
