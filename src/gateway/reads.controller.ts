import { Controller, Get, Inject, Param, Query, Req, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import type { AgreedBatch, ClusterClient } from '../client/cluster-client.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import { NeedsRight } from './access.js';
import { Admission, AdmissionGuard } from './admission.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { CLUSTER_CLIENT } from './options.js';
import { QueryParameters, QueryParametersGuard } from './query-parameters.js';

interface ValueAnswer {
  readonly key: string;
  readonly value: Json;
  readonly sequence: number;
  readonly consistency: 'linearizable' | 'local';
  readonly replicas: readonly string[];
}

/** Only there when the state machine answers queries. */
@ApiTags('key-value')
@NeedsRight('get', 'key')
@Controller('v1/kv')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class KeyValueController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) private readonly admission: Admission,
  ) {}

  @Get(':key')
  @QueryParameters('consistency')
  @ApiOperation({ operationId: 'getValue', summary: 'Reads the value of a key, without ordering the read.' })
  @ApiParam({ name: 'key', schema: { type: 'string' } })
  @ApiQuery({
    name: 'consistency',
    required: false,
    schema: { type: 'string', enum: ['linearizable', 'local'], default: 'linearizable' },
    description: 'linearizable: on a quorum of matching answers. local: on the word of one replica.',
  })
  @ApiOkResponse({ description: 'The value, and what it rests on.', schema: schemaRef('Value') })
  @ApiProblems('invalid-request', 'not-found', 'overloaded', 'bus-unavailable', 'shutting-down', 'no-quorum')
  async get(
    @Req() request: Request,
    @Param('key') key: string,
    @Query('consistency') asked = 'linearizable',
  ): Promise<ValueAnswer> {
    if (asked !== 'linearizable' && asked !== 'local') {
      throw new QuorateError('invalid-request', 'consistency must be linearizable or local.');
    }
    const { value, sequence, consistency, replicas } = await this.admission.run(request, (deadlineMs) =>
      this.client.query({ op: 'get', key }, asked, deadlineMs),
    );
    if (value === undefined) {
      throw new QuorateError('not-found', 'The key has no value.', { sequence, consistency, replicas });
    }
    return { key, value, sequence, consistency, replicas };
  }
}

@ApiTags('log')
@NeedsRight('log')
@Controller('v1/log')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class LogController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) private readonly admission: Admission,
  ) {}

  @Get(':sequence')
  @ApiOperation({
    operationId: 'getBatch',
    summary: 'Reads the batch agreed at a sequence number, with its certificate.',
  })
  @ApiParam({ name: 'sequence', schema: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } })
  @ApiOkResponse({ description: 'The batch and a quorum of commits for it.', schema: schemaRef('AgreedBatch') })
  @ApiProblems(
    'invalid-request',
    'not-found',
    'log-collected',
    'overloaded',
    'bus-unavailable',
    'shutting-down',
    'no-quorum',
  )
  async get(@Req() request: Request, @Param('sequence') text: string): Promise<AgreedBatch> {
    const sequence = /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(sequence)) {
      throw new QuorateError('invalid-request', 'A sequence number is an integer from 1 to 2^53−1.');
    }
    const batch = await this.admission.run(request, (deadlineMs) => this.client.agreedBatch(sequence, deadlineMs));
    if (batch === undefined) {
      throw new QuorateError('not-found', 'No replica that answers has a batch at this sequence number.', { sequence });
    }
    return batch;
  }
}
