import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { AccessControl, Principal } from '../access/access-control.js';
import { areAllowed, EVERYTHING, type Touch } from '../access/rights.js';
import { keyOfOwner } from '../client/idempotency-keys.js';
import { QuorateError } from '../errors.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { HttpProblem } from './problem.js';

const NEEDS = 'quorate:needs';
const CHALLENGE = 'Bearer realm="quorate"';

/** What a handler needs. Without a word it needs everything: a new one is closed until somebody opens it. */
type Needs = 'nothing' | 'any-client' | { readonly operation: string; readonly keyParameter?: string };

/** Open to everybody. */
export const Public = (): ClassDecorator & MethodDecorator => SetMetadata(NEEDS, 'nothing' satisfies Needs);
/** Open to every client: what it may do there is looked at by the handler, or is the same for all. */
export const AnyClient = (): ClassDecorator & MethodDecorator => SetMetadata(NEEDS, 'any-client' satisfies Needs);
/** Open to clients with the right to `operation`, on the key that a parameter of the path names. */
export const NeedsRight = (operation: string, keyParameter?: string): ClassDecorator & MethodDecorator =>
  SetMetadata(NEEDS, (keyParameter === undefined ? { operation } : { operation, keyParameter }) satisfies Needs);

/** Who sends each request. Without access rules it is nobody in particular, and everything is allowed. */
@Injectable()
export class Access {
  private readonly principals = new WeakMap<IncomingMessage, Principal>();

  constructor(@Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions) {}

  /** Whether clients are told apart. */
  get isOn(): boolean {
    return this.options.access !== undefined;
  }

  /** @throws {HttpProblem | QuorateError} `unauthenticated`, `forbidden`, `overloaded`, `bus-unavailable` */
  async admit(request: IncomingMessage): Promise<void> {
    const { access } = this.options;
    if (access === undefined) return;
    const principal = await access.identify(request.headers.authorization).catch((error: unknown) => {
      throw challenged(error, request);
    });
    await this.count(access, principal);
    this.principals.set(request, principal);
  }

  /** Each line of a batch counts as a request. @throws {HttpProblem | QuorateError} `overloaded`, `bus-unavailable` */
  async countLine(request: IncomingMessage): Promise<void> {
    const principal = this.principals.get(request);
    if (this.options.access !== undefined && principal !== undefined) await this.count(this.options.access, principal);
  }

  private async count(access: AccessControl, principal: Principal): Promise<void> {
    const waitMs = await access.count(principal);
    if (waitMs === 0) return;
    const headers = { 'Retry-After': String(Math.ceil(waitMs / 1000)) };
    throw new HttpProblem('overloaded', 'The client has used up its requests for this minute.', { headers });
  }

  /** @throws {QuorateError} `forbidden` */
  assertMay(request: IncomingMessage, touches: readonly Touch[]): void {
    if (!this.isOn || areAllowed(this.principals.get(request)?.rights ?? [], touches)) return;
    throw new QuorateError('forbidden', 'The client has no right to do this.');
  }

  /** Each client has idempotency keys of its own: nobody gets another's reply by guessing its key. */
  keyOf(request: IncomingMessage, idempotencyKey: string | undefined): string | undefined {
    if (idempotencyKey === undefined || !this.isOn) return idempotencyKey;
    return keyOfOwner(this.ownerOf(request) ?? '', idempotencyKey);
  }

  /** Whose an asynchronous request is. */
  ownerOf(request: IncomingMessage): string | null {
    return this.principals.get(request)?.name ?? null;
  }

  /** Whose asynchronous requests a client may see; `undefined`: all. */
  viewerOf(request: IncomingMessage): string | undefined {
    const principal = this.principals.get(request);
    return principal?.isOperator === true ? undefined : principal?.name;
  }
}

function challenged(error: unknown, { headers }: IncomingMessage): unknown {
  if (!(error instanceof QuorateError) || error.code !== 'unauthenticated') return error;
  const why = headers.authorization === undefined ? '' : ', error="invalid_token"';
  return new HttpProblem('unauthenticated', error.message, { headers: { 'WWW-Authenticate': CHALLENGE + why } });
}

/** Before every handler of Nest's; `HotRoute` does the same for what goes past Nest. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(@Inject(Access) private readonly access: Access) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!this.access.isOn) return true;
    const needs = needsOf(context);
    if (needs === 'nothing') return true;
    const request = context.switchToHttp().getRequest<Request>();
    await this.access.admit(request);
    if (needs === 'any-client') return true;
    this.access.assertMay(request, [needs === undefined ? EVERYTHING : touchOf(needs, request)]);
    return true;
  }
}

function needsOf(context: ExecutionContext): Needs | undefined {
  const [onHandler, onClass] = [context.getHandler(), context.getClass()].map(
    (place) => Reflect.getMetadata(NEEDS, place) as Needs | undefined,
  );
  return onHandler ?? onClass;
}

function touchOf({ operation, keyParameter }: Exclude<Needs, string>, { params }: Request): Touch {
  const key = keyParameter === undefined ? undefined : params[keyParameter];
  return { operation, key: typeof key === 'string' ? key : undefined };
}
