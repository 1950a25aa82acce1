import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { QuorateError } from '../errors.js';
import type { Middleware } from './edge.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './options.js';
import { HttpProblem, sendProblem } from './problem.js';

/** Whether a request carries the operator's key: as a bearer token, or as the password that a browser asks for. */
function isOperator(request: IncomingMessage, operatorKey: string): boolean {
  const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  const given = scheme.toLowerCase() === 'bearer' ? value : passwordIn(value);
  return timingSafeEqual(digestOf(given), digestOf(operatorKey));
}

/** Lets nobody by who does not have the operator's key. */
export function operatorGate(operatorKey: string): Middleware {
  return (request, response, next) => {
    const problem = refusal(request, operatorKey);
    if (problem === undefined) {
      next();
      return;
    }
    if (problem.code === 'unauthenticated') response.setHeader('WWW-Authenticate', OPERATOR_CHALLENGE);
    sendProblem(response, problem);
  };
}

const OPERATOR_CHALLENGE = 'Basic realm="operator", charset="UTF-8"';

function refusal(request: IncomingMessage, operatorKey: string): QuorateError | undefined {
  if (!isOperator(request, operatorKey)) {
    return new QuorateError('unauthenticated', "The operator's key is needed, as a bearer token or a password.");
  }
  if (isRead(request) || comesFromHere(request)) return undefined;
  // A browser sends the password along with whatever another site makes it send.
  return new QuorateError('forbidden', "The operator's pages take commands from themselves alone.");
}

function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Programs send neither header; browsers always send one of them with a command. */
function comesFromHere({ headers }: IncomingMessage): boolean {
  const { 'sec-fetch-site': site, origin, host } = headers;
  if (site !== undefined) return site === 'same-origin';
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

/** For `/metrics`, where it is the operator's alone. */
@Injectable()
export class MetricsGuard implements CanActivate {
  constructor(@Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions) {}

  canActivate(context: ExecutionContext): boolean {
    const { metricsAccess, operatorKey } = this.options;
    if (metricsAccess !== 'operator') return true;
    const request = context.switchToHttp().getRequest<IncomingMessage>();
    if (operatorKey !== undefined && isOperator(request, operatorKey)) return true;
    const headers = { 'WWW-Authenticate': OPERATOR_CHALLENGE };
    throw new HttpProblem('unauthenticated', "The metrics need the operator's key.", { headers });
  }
}

function passwordIn(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
