import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { ClusterClient } from '../client/cluster-client.js';
import type { Reply } from '../crypto/receipt.js';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import { Access, AnyClient } from './access.js';
import { Admission, AdmissionGuard } from './admission.js';
import { ApiProblems, schemaRef } from './api-docs.js';
import { Connections } from './connections.js';
import { inOrder } from './in-order.js';
import { JsonBodyPipe } from './json-body.js';
import { isIdempotencyKey, OperationPipe } from './operation.js';
import { CLUSTER_CLIENT, GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { problemAnswer } from './problem.js';
import { QueryParametersGuard } from './query-parameters.js';
import { roomIn } from './room.js';

const mediaType = 'application/x-ndjson';
/** What one batch may hold. */
const linesMax = 10_000;
const bytesMax = 16 * 1024 * 1024;
/** Operations of one batch that are under way at once, at most; and never more than this part of what the gateway takes. */
const underwayMax = 256;
const partOfInFlight = 4;
const whiteSpace = new Set([0x20, 0x09, 0x0d]);

interface Line {
  readonly content: Buffer;
  /** From 1 on; empty lines count. */
  readonly line: number;
}

/** What became of one line. */
interface LineAnswer {
  readonly line: number;
  readonly reply?: Reply;
  readonly problem?: Readonly<Record<string, unknown>>;
}

@ApiTags('requests')
@AnyClient()
@Controller('v1/requests')
@UseGuards(QueryParametersGuard, AdmissionGuard)
export class BatchController {
  readonly #underwayMax: number;

  constructor(
    @Inject(CLUSTER_CLIENT) private readonly client: ClusterClient,
    @Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions,
    @Inject(Access) private readonly access: Access,
    @Inject(Admission) private readonly admission: Admission,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(JsonBodyPipe) private readonly body: JsonBodyPipe,
    @Inject(OperationPipe) private readonly operation: OperationPipe,
  ) {
    this.#underwayMax = Math.max(1, Math.min(underwayMax, Math.floor(options.inFlightMax / partOfInFlight)));
  }

  @Post('batch')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'submitBatch',
    summary: 'Has many operations agreed and executed.',
    description:
      `A line for each: {"operation": …}, and "idempotencyKey" if it has one. At most ${String(linesMax)} lines and ` +
      `${String(bytesMax / 1024 / 1024)} MiB. The answers stream in the order of the lines, each with its reply or its problem; ` +
      'one operation may fail without the others. Those that are under way at once are in no particular order.',
  })
  @ApiBody({ description: 'NDJSON.', content: { [mediaType]: { schema: { type: 'string' } } } } as never)
  @ApiOkResponse({
    description: 'NDJSON: {"line", "reply"} or {"line", "problem"}.',
    content: { [mediaType]: { schema: schemaRef('LineAnswer') } },
  })
  @ApiProblems(
    'invalid-request',
    'request-timeout',
    'request-too-large',
    'unsupported-media-type',
    'overloaded',
    'shutting-down',
  )
  async submit(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    const lines = linesIn(await this.body.readAs(request, mediaType, bytesMax));
    const exchange = this.connections.of(request);
    exchange?.becomeStream();
    response.writeHead(200, { 'Content-Type': mediaType });
    for await (const answer of inOrder(lines, this.#underwayMax, (line) => this.#answer(request, line))) {
      if (response.destroyed) break; // what is under way is finished; nothing else is begun
      if (!response.write(`${JSON.stringify(answer)}\n`)) await roomIn(response);
    }
    response.end();
  }

  async #answer(request: IncomingMessage, { content, line }: Line): Promise<LineAnswer> {
    try {
      const { idempotencyKey, ...body } = taken(this.body.parse(content));
      const { operation, webhook, touches } = this.operation.transform(body as Json);
      if (webhook !== undefined) throw new QuorateError('invalid-request', 'A line has no webhook.');
      this.access.assertMay(request, touches);
      await this.access.countLine(request);
      const key = this.access.keyOf(request, idempotencyKey);
      const reply = await this.admission.run(request, (deadlineMs) =>
        this.client.submit(operation, { idempotencyKey: key, deadlineMs }),
      );
      return { line, reply };
    } catch (error) {
      return { line, problem: problemAnswer(error).body };
    }
  }
}

/** The lines that are not empty. @throws {QuorateError} `request-too-large` */
function linesIn(body: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0, line = 1; start < body.length; line++) {
    const newline = body.indexOf(0x0a, start);
    const end = newline < 0 ? body.length : newline;
    const content = body.subarray(start, end);
    start = end + 1;
    if (!content.every((byte) => whiteSpace.has(byte))) lines.push({ content, line });
  }
  if (lines.length <= linesMax) return lines;
  throw new QuorateError('request-too-large', `A batch has at most ${String(linesMax)} lines.`, { linesMax });
}

/** @throws {QuorateError} `invalid-request` */
function taken(
  line: Json,
): { readonly idempotencyKey: string | undefined } & Readonly<Record<string, Json | undefined>> {
  if (line === null || typeof line !== 'object' || Array.isArray(line)) {
    throw new QuorateError('invalid-request', 'A line must be an object.');
  }
  const { idempotencyKey, ...body } = line as Readonly<Record<string, Json>>;
  if (idempotencyKey === undefined || isIdempotencyKey(idempotencyKey)) return { ...body, idempotencyKey };
  throw new QuorateError('invalid-request', 'idempotencyKey must be 1 to 256 printable ASCII characters.');
}
