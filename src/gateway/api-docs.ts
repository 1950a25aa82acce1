import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { PROBLEM_KINDS, PROBLEM_MEDIA_TYPE, type ProblemCode } from './problem.js';

export type SchemaName =
  | 'Reply'
  | 'RequestStatus'
  | 'Value'
  | 'StateProof'
  | 'AgreedBatch'
  | 'Status'
  | 'Membership'
  | 'Live'
  | 'Ready'
  | 'Problem'
  | 'LineAnswer'
  | 'SubmitRequest'
  | 'Operation';

/** Refers to a schema of the document; openapi.ts puts them in. */
export function schemaRef(name: SchemaName): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** The document's response for problems of one status. */
export function problemResponse(codes: readonly ProblemCode[]) {
  return {
    description: codes.map((code) => `${code}: ${PROBLEM_KINDS[code].title}.`).join(' '),
    content: { [PROBLEM_MEDIA_TYPE]: { schema: schemaRef('Problem') } },
  };
}

/** Documents the problems that a handler answers, besides the one that any may (500). */
export function ApiProblems(...codes: readonly ProblemCode[]): MethodDecorator {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, 'internal'] as const) {
    const { status } = PROBLEM_KINDS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ...[...byStatus].map(([status, sameStatus]) => ApiResponse({ status, ...problemResponse(sameStatus) })),
  );
}
