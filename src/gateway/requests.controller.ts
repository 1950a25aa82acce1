import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, Inject, Post, Req, UseGuards } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ClusterClient } from '../client/cluster-client.js';
import type { Reply } from '../crypto/receipt.js';
import type { Json } from '../wire/json.js';
import { Admission, AdmissionGuard } from './admission.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { JsonBodyPipe, RawRequest } from './json-body.js';
import { IdempotencyKey, OperationPipe } from './operation.js';
import { CLUSTER_CLIENT } from './options.js';
import { QueryParametersGuard } from './query-parameters.js';

@ApiTags('requests')
@Controller('v1/requests')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class RequestsController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) private readonly admission: Admission,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'submit',
    summary: 'Has one operation agreed and executed.',
    description:
      'Answers once f+1 replicas agree on the result. JSON that would be changed on the way is refused: equal keys, ' +
      'integers outside ±(2^53−1), numbers with more digits than a double holds, −0, lone surrogates. The preference ' +
      'respond-async is not honoured in this version.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'The operation is executed once however often it is sent under the same key.',
    schema: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[ -~]+$' },
  })
  @ApiBody({ schema: schemaRef('SubmitRequest') })
  @ApiOkResponse({ description: 'The reply, with its receipt.', schema: schemaRef('Reply') })
  @ApiProblems(
    'invalid-request',
    'request-timeout',
    'idempotency-conflict',
    'request-too-large',
    'unsupported-media-type',
    'overloaded',
    'not-implemented',
    'bus-unavailable',
    'shutting-down',
    'no-quorum',
  )
  async submit(
    @Req() request: IncomingMessage,
    @IdempotencyKey() idempotencyKey: string | undefined,
    @RawRequest(JsonBodyPipe, OperationPipe) operation: Json,
  ): Promise<Reply> {
    return this.admission.run(request, (deadlineMs) => this.client.submit(operation, { idempotencyKey, deadlineMs }));
  }
}
