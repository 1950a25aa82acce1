import type { IncomingMessage } from 'node:http';
import { createParamDecorator, Inject, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import { EVERYTHING, type Touch } from '../access/rights.js';
import { QuorateError } from '../errors.js';
import type { StandardIssue } from '../state-machine/standard-schema.js';
import type { Json } from '../wire/json.js';
import { jsonPointer } from '../wire/strict-json.js';
import { headerValues } from './headers.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './options.js';

const ISSUES_MAX = 16;
const ISSUE_LENGTH_MAX = 300;

/** One thing that is wrong with a body; `pointer` is RFC 6901 in a URI fragment. */
interface BodyIssue {
  readonly detail: string;
  readonly pointer: string;
}

/** What a body asks for. */
export interface Submitted {
  readonly operation: Json;
  /** Where to say that an asynchronous request has come to its end. */
  readonly webhook: string | undefined;
  /** What rights it takes. */
  readonly touches: readonly Touch[];
}

/**
 * Takes the operation out of a body and has the state machine check it. What goes on to the replicas is what the
 * client sent, not what the schema made of it: each replica checks and transforms for itself.
 */
@Injectable()
export class OperationPipe implements PipeTransform<Json, Submitted> {
  constructor(@Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions) {}

  /** @throws {QuorateError} `invalid-request` with `errors`, `internal` when the state machine's schema misbehaves */
  transform(body: Json): Submitted {
    const asked = submittedIn(body, this.options.queue === undefined ? ['operation'] : ['operation', 'webhook']);
    const { operation } = asked;
    const result = this.options.stateMachine.operation['~standard'].validate(operation);
    if (result instanceof Promise) {
      result.catch(() => undefined);
      throw new QuorateError('internal', 'The state machine checks operations asynchronously, which replicas cannot.');
    }
    if (result.issues !== undefined) {
      throw invalidBody('The state machine does not take this operation.', result.issues.map(bodyIssue));
    }
    return { ...asked, touches: this.#touches(result.value) };
  }

  /** As the state machine tells; else by the names that operations commonly have. */
  #touches(operation: unknown): readonly Touch[] {
    const { stateMachine, access } = this.options;
    if (access === undefined) return [];
    if (stateMachine.touches !== undefined) return stateMachine.touches(operation);
    const { op, type } = (operation ?? {}) as { readonly op?: unknown; readonly type?: unknown };
    const name = [op, type].find((member) => typeof member === 'string');
    return [name === undefined ? EVERYTHING : { operation: name }];
  }
}

function submittedIn(body: Json, fields: readonly string[]): Omit<Submitted, 'touches'> {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw invalidBody('The body must be an object.', [{ detail: 'An object is expected.', pointer: '#' }]);
  }
  const members = body as { readonly [key: string]: Json };
  const unknown = Object.keys(members).filter((key) => !fields.includes(key));
  const issues = unknown.map((key) => ({ detail: 'There is no such field.', pointer: jsonPointer([key]) }));
  if (!Object.hasOwn(members, 'operation')) issues.unshift({ detail: 'The field is missing.', pointer: '#/operation' });
  if (Object.hasOwn(members, 'webhook') && typeof members['webhook'] !== 'string') {
    issues.push({ detail: 'A URL is expected.', pointer: '#/webhook' });
  }
  if (issues.length > 0) throw invalidBody(`The body must be an object with ${fields.join(' and perhaps ')}.`, issues);
  return { operation: members.operation as Json, webhook: members['webhook'] as string | undefined };
}

function bodyIssue({ message, path = [] }: StandardIssue): BodyIssue {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment));
  return { detail: message.slice(0, ISSUE_LENGTH_MAX), pointer: jsonPointer(['operation', ...keys]) };
}

function invalidBody(message: string, issues: readonly BodyIssue[]): QuorateError {
  return new QuorateError('invalid-request', message, { errors: issues.slice(0, ISSUES_MAX) });
}

/** 1 to 256 printable ASCII characters. */
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,256}$/;

export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === 'string' && IDEMPOTENCY_KEY.test(value);
}

/** The request's idempotency key, if it has one: throws `invalid-request` when it is malformed or given twice. */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext): string | undefined =>
  idempotencyKeyOf(context.switchToHttp().getRequest<IncomingMessage>()),
);

/** @throws {QuorateError} `invalid-request` */
export function idempotencyKeyOf(request: IncomingMessage): string | undefined {
  const values = headerValues(request, 'idempotency-key');
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length === 1 && isIdempotencyKey(value)) return value;
  throw new QuorateError(
    'invalid-request',
    'Idempotency-Key must be one value of 1 to 256 printable ASCII characters.',
  );
}
