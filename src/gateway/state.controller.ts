import { Controller, Get, Inject, Param, Req, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import type { ClusterClient } from '../client/cluster-client.js';
import type { StateProof } from '../crypto/state-proof.js';
import { QuorateError } from '../errors.js';
import { Access, NeedsRight } from './access.js';
import { Admission, AdmissionGuard } from './admission.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { CLUSTER_CLIENT } from './options.js';
import { QueryParametersGuard } from './query-parameters.js';

/** Proofs of what the state holds, whatever the state machine. */
@ApiTags('state')
@NeedsRight('get', 'key')
@Controller('v1/state')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class StateController {
  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(Admission) private readonly admission: Admission,
    @Inject(Access) private readonly access: Access,
  ) {}

  @Get(':key')
  @ApiOperation({
    operationId: 'proveKey',
    summary: 'Proves what a key of the state holds, or that it holds nothing.',
    description:
      'Against the last stable checkpoint, which a quorum of replicas has signed: the value may be as old as that. Whoever has the ' +
      'membership can verify the proof offline. That a key holds nothing is shown by its neighbours, so that it takes the right to ' +
      'read these.',
  })
  @ApiParam({ name: 'key', schema: { type: 'string' } })
  @ApiOkResponse({ description: 'The proof.', schema: schemaRef('StateProof') })
  @ApiProblems(
    'invalid-request',
    'not-found',
    'forbidden',
    'overloaded',
    'bus-unavailable',
    'shutting-down',
    'no-quorum',
  )
  async get(@Req() request: Request, @Param('key') key: string): Promise<StateProof> {
    const proof = await this.admission.run(request, (deadlineMs) => this.client.prove(key, deadlineMs));
    if (proof === undefined)
      throw new QuorateError(
        'not-found',
        'No checkpoint is stable yet: there will be one when some more requests have been executed.',
      );
    const { before = null, after = null } = proof.neighbours ?? {};
    const shown = [before, after].flatMap((entry) => (entry === null ? [] : [{ operation: 'get', key: entry.key }]));
    this.access.assertMay(request, shown);
    return proof;
  }
}
