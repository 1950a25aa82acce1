import type { IncomingMessage } from 'node:http';
import { MIMEType } from 'node:util';
import { createParamDecorator, Inject, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import { QuorateError } from '../errors.js';
import type { Json } from '../wire/json.js';
import { DEFAULT_JSON_LIMITS, parseStrictJsonBytes, type JsonLimits } from '../wire/strict-json.js';
import { Connections } from './connections.js';
import { headerValues } from './headers.js';
import { awaitsContinue } from './http-server.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { HttpProblem } from './problem.js';

/**
 * Bytes of a body over the limit that are read and dropped, so that the client gets to read the refusal: a connection
 * that is closed on a client which still sends is reset, and the answer is lost.
 */
const DROPPED_BYTES_MAX = 1024 * 1024;

/** The request, for `JsonBodyPipe` to read its body. */
export const RawRequest = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<IncomingMessage>(),
);

/** Turns a request into the JSON value of its body, under the gateway's limits on type, encoding, size and time. */
@Injectable()
export class JsonBodyPipe implements PipeTransform<IncomingMessage, Promise<Json>> {
  constructor(
    @Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions,
    @Inject(Connections) private readonly connections: Connections,
  ) {}

  /** @throws {HttpProblem | QuorateError} `unsupported-media-type`, `request-too-large`, `invalid-request`, `request-timeout` */
  async transform(request: IncomingMessage): Promise<Json> {
    return this.parse(await this.readAs(request, 'application/json', this.options.bodyBytesMax));
  }

  /** @throws {QuorateError} `invalid-request`, `request-too-large` */
  parse(bytes: Buffer): Json {
    const { bodyBytesMax } = this.options;
    if (bytes.length > bodyBytesMax) throw tooLarge(bodyBytesMax);
    return parseStrictJsonBytes(bytes, limitsOf(this.options));
  }

  /** The request's whole body. @throws as `transform`, but for what is in it */
  async readAs(request: IncomingMessage, mediaType: string, bodyBytesMax: number): Promise<Buffer> {
    checkMediaType(request, mediaType);
    checkCodings(request);
    return this.#read(request, bodyBytesMax);
  }

  async #read(request: IncomingMessage, bodyBytesMax: number): Promise<Buffer> {
    const exchange = this.connections.of(request);
    const giveUp = (): QuorateError => {
      exchange?.closeAfter(true);
      return tooLarge(bodyBytesMax);
    };

    const droppedMax = bodyBytesMax + DROPPED_BYTES_MAX;
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > bodyBytesMax && (awaitsContinue(request) || declared > droppedMax)) throw giveUp();
    if (awaitsContinue(request)) {
      exchange?.closeAfter(false);
      exchange?.response.writeContinue();
    }

    if (exchange?.bodyProblem !== undefined) throw exchange.bodyProblem;
    if (request.destroyed) throw gone();
    const chunks: Buffer[] = [];
    let size = 0;
    let isWhole = false;
    await new Promise<void>((resolve, reject) => {
      // Nobody takes these off again, which would cost as much once more: a promise settles once.
      exchange?.onBrokenBody(reject);
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= bodyBytesMax) chunks.push(chunk);
        else if (size - chunk.length <= droppedMax && size > droppedMax) reject(giveUp());
      });
      request.on('end', () => {
        isWhole = true;
        if (size > bodyBytesMax) reject(tooLarge(bodyBytesMax));
        else resolve();
      });
      request.on('close', () => {
        if (!isWhole) reject(gone());
      });
    });
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
  }
}

/** An operation in its envelope may be as deep as replicas take one; the rest grows with the body's limit. */
function limitsOf({ bodyBytesMax }: GatewayOptions): JsonLimits {
  const { depthMax, entriesMax } = DEFAULT_JSON_LIMITS;
  return {
    depthMax: depthMax + 1,
    entriesMax: Math.max(entriesMax, Math.floor(bodyBytesMax / 4)),
    stringLengthMax: bodyBytesMax,
  };
}

function tooLarge(bodyBytesMax: number): QuorateError {
  const message = `The body is larger than ${String(bodyBytesMax)} bytes.`;
  return new QuorateError('request-too-large', message, { bodyBytesMax });
}

/** Nobody will read it; it ends the handling of the request. */
function gone(): HttpProblem {
  return new HttpProblem('invalid-request', 'The connection was closed before the whole body had arrived.');
}

/** The one that is wanted, or for JSON any type with the suffix `+json`; UTF-8, whether said or not. */
function checkMediaType(request: IncomingMessage, wanted: string): void {
  const values = headerValues(request, 'content-type');
  const refuse = (detail: string): HttpProblem =>
    new HttpProblem('unsupported-media-type', detail, { headers: { 'Accept-Post': wanted } });
  if (values.length !== 1) throw refuse(`The request needs one Content-Type header: ${wanted}.`);
  if (values[0] === wanted) return; // as nearly all say it: a MIMEType is worth as much time as the rest of the body
  let type: MIMEType;
  try {
    type = new MIMEType(values[0] ?? '');
  } catch {
    throw refuse('The Content-Type header is malformed.');
  }
  const isJson = wanted === 'application/json' && /^application\/.+\+json$/.test(type.essence);
  if (type.essence !== wanted && !isJson) throw refuse(`The content must be ${wanted}.`);
  const charset = type.params.get('charset') ?? 'utf-8';
  if (!/^utf-?8$/i.test(charset)) throw refuse('JSON is UTF-8: no other charset is taken.');
}

/** No compression (a small body can unpack to a huge one), and no transfer coding but chunks. */
function checkCodings(request: IncomingMessage): void {
  const encodings = headerValues(request, 'content-encoding');
  if (encodings.some((value) => value.trim().toLowerCase() !== 'identity')) {
    const headers = { 'Accept-Encoding': 'identity' };
    throw new HttpProblem('unsupported-media-type', 'The content must not be encoded or compressed.', { headers });
  }
  const transfer = headerValues(request, 'transfer-encoding');
  if (transfer.some((value) => value.trim().toLowerCase() !== 'chunked') || transfer.length > 1) {
    throw new HttpProblem('unsupported-media-type', 'The only transfer coding that is taken is chunked.');
  }
}
