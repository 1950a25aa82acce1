import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, HttpStatus, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { ClusterClient } from '../client/cluster-client.js';
import type { Reply } from '../crypto/receipt.js';
import { QuorateError } from '../errors.js';
import type { RequestStatus } from '../queue/async-requests.js';
import { Access, AnyClient } from './access.js';
import { Admission, AdmissionGuard } from './admission.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { JsonBodyPipe, RawRequest } from './json-body.js';
import { IdempotencyKey, OperationPipe, type Submitted } from './operation.js';
import { CLUSTER_CLIENT, GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { prefersAsync } from './preferences.js';
import { QueryParametersGuard } from './query-parameters.js';

@ApiTags('requests')
@AnyClient()
@Controller('v1/requests')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class RequestsController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) private readonly admission: Admission,
    @Inject(Access) private readonly access: Access,
    @Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'submit',
    summary: 'Has one operation agreed and executed.',
    description:
      'Answers once f+1 replicas agree on the result. JSON that would be changed on the way is refused: equal keys, ' +
      'integers outside ±(2^53−1), numbers with more digits than a double holds, −0, lone surrogates. With the ' +
      'preference respond-async, where the gateway has a queue, the answer comes as soon as the request is kept ' +
      'safely, and GET at its Location tells how far it is.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'The operation is executed once however often it is sent under the same key.',
    schema: { type: 'string', minLength: 1, maxLength: 256, pattern: '^[ -~]+$' },
  })
  @ApiBody({ schema: schemaRef('SubmitRequest') })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: 'respond-async (RFC 7240): answer 202 once the request is kept, before it is executed.',
    schema: { type: 'string' },
  })
  @ApiOkResponse({ description: 'The reply, with its receipt.', schema: schemaRef('Reply') })
  @ApiAcceptedResponse({
    description: 'The request is kept and will be executed.',
    schema: schemaRef('RequestStatus'),
    headers: {
      Location: { description: 'Where it is.', schema: { type: 'string' } },
      'Preference-Applied': { description: 'respond-async', schema: { type: 'string' } },
    },
  })
  @ApiProblems(
    'invalid-request',
    'request-timeout',
    'idempotency-conflict',
    'request-too-large',
    'unsupported-media-type',
    'overloaded',
    'bus-unavailable',
    'shutting-down',
    'no-quorum',
  )
  async submit(
    @Req() request: IncomingMessage,
    @Res({ passthrough: true }) response: Response,
    @IdempotencyKey() idempotencyKey: string | undefined,
    @RawRequest(JsonBodyPipe, OperationPipe) submitted: Submitted,
  ): Promise<Reply | RequestStatus> {
    const { queue } = this.options;
    if (queue === undefined || !prefersAsync(request)) return await this.answer(request, idempotencyKey, submitted);
    const { operation, webhook, touches } = submitted;
    this.access.assertMay(request, touches);
    const [key, owner] = [this.access.keyOf(request, idempotencyKey), this.access.ownerOf(request)];
    const status = await queue.submit({ operation, webhook, key, owner });
    response.status(HttpStatus.ACCEPTED);
    response.setHeader('Location', `${this.options.mountedAt ?? ''}/v1/requests/${status.id}`);
    response.setHeader('Preference-Applied', 'respond-async');
    return status;
  }

  /** The synchronous answer. */
  async answer(
    request: IncomingMessage,
    idempotencyKey: string | undefined,
    { operation, webhook, touches }: Submitted,
  ): Promise<Reply> {
    if (webhook !== undefined) {
      throw new QuorateError('invalid-request', 'A webhook needs the header Prefer: respond-async.');
    }
    this.access.assertMay(request, touches);
    const key = this.access.keyOf(request, idempotencyKey);
    return this.admission.run(request, (deadlineMs) =>
      this.client.submit(operation, { idempotencyKey: key, deadlineMs }),
    );
  }
}
