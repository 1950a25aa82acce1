import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Headers, Inject, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { QuorateError } from '../../errors.js';
import { NeedsRight } from '../access.js';
import { ApiProblems } from '../api-docs.js';
import { QueryParameters, QueryParametersGuard } from '../query-parameters.js';
import { EventStreams } from './event-streams.js';

const resuming =
  'The sequence number after which the stream begins; 0: with the first. By default with what is agreed next.';

const Stream = (operationId: string, summary: string, description: string): MethodDecorator => {
  return (target, key, descriptor: PropertyDescriptor) => {
    const decorators = [
      ApiOperation({ operationId, summary, description }),
      QueryParameters('after'),
      ApiQuery({ name: 'after', required: false, schema: { type: 'integer', minimum: 0 }, description: resuming }),
      ApiHeader({
        name: 'Last-Event-ID',
        required: false,
        schema: { type: 'integer', minimum: 0 },
        description: 'As `after`, which it goes before: what a client that reconnects says by itself.',
      }),
      ApiOkResponse({
        description: 'Server-sent events until one side ends them.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      }),
      ApiProblems('invalid-request', 'log-collected', 'overloaded', 'bus-unavailable', 'shutting-down', 'no-quorum'),
    ] as MethodDecorator[];
    for (const decorate of decorators) decorate(target, key, descriptor);
  };
};

/** The agreed log as a feed. */
@ApiTags('log')
@NeedsRight('log')
@Controller('v1')
@UseGuards(QueryParametersGuard)
export class EventsController {
  constructor(@Inject(EventStreams) private readonly streams: EventStreams) {}

  @Get('log')
  @Stream(
    'followLog',
    'Follows the agreed log.',
    'An event `committed` for each batch, in order and without a gap, with its certificate; its id is its sequence number. ' +
      'Where the log no longer reaches, 410 tells from where on it does (`availableFrom`).',
  )
  log(
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Query('after') after: string | undefined,
  ): Promise<void> {
    return this.streams.open(request, response, placeIn(lastEventId ?? after), 'log');
  }

  @Get('events')
  @Stream(
    'followEvents',
    'Follows what happens in the cluster.',
    'The events of `/v1/log`, and between them `view-change`, `checkpoint` and `replica`, which are not told again on resuming.',
  )
  events(
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Query('after') after: string | undefined,
  ): Promise<void> {
    return this.streams.open(request, response, placeIn(lastEventId ?? after), 'everything');
  }
}

/** @throws {QuorateError} `invalid-request` */
function placeIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const place = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(place)) return place;
  throw new QuorateError('invalid-request', 'An event is named by a sequence number, from 0 to 2^53−1.');
}
