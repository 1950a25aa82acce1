import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { HttpProblem } from './problem.js';
import { jsonPointer } from '../wire/strict-json.js';

const ALLOWED = 'quorate:query-parameters';

/** The query parameters that a handler takes, each at most once; without this it takes none. */
export const QueryParameters = (...names: readonly string[]): MethodDecorator => SetMetadata(ALLOWED, names);

/** Refuses query parameters that the handler does not know: a misspelt one must not be read as its default. */
@Injectable()
export class QueryParametersGuard implements CanActivate {
  /** @throws {HttpProblem} `invalid-request` */
  canActivate(context: ExecutionContext): boolean {
    const allowed = (Reflect.getMetadata(ALLOWED, context.getHandler()) ?? []) as readonly string[];
    const query = context.switchToHttp().getRequest<Request>().query;
    for (const [name, value] of Object.entries(query)) {
      if (!allowed.includes(name)) throw new HttpProblem('invalid-request', `Unknown query parameter${named(name)}.`);
      if (typeof value !== 'string') {
        throw new HttpProblem('invalid-request', `Query parameter${named(name)} is given more than once.`);
      }
    }
    return true;
  }
}

function named(name: string): string {
  return ` ${jsonPointer([name]).slice(2)}`;
}
