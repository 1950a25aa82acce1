import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { problemResponse, schemaRef } from './api-docs.js';
import type { GatewayOptions } from './options.js';
import { PROBLEM_KINDS } from './problem.js';
import { ANSWER_SCHEMAS } from './schemas.js';

type SchemaObject = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string];

/** Puts the OpenAPI document at `/openapi.json` and a page that shows it at `/docs`. Must run before `app.init()`. */
export function setupOpenApi(app: INestApplication, options: GatewayOptions): void {
  SwaggerModule.setup('docs', app, openApiDocument(app, options), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Quorate API',
    // Nothing that the page shows goes to anybody else.
    swaggerOptions: { validatorUrl: null },
  });
}

const WEBHOOK_SCHEMA: SchemaObject = {
  type: 'string',
  format: 'uri',
  maxLength: 2048,
  description:
    'With Prefer: respond-async: an http or https URL, at a host that the operator allows, which gets a POST signed ' +
    'as standardwebhooks.com says (webhook-id, webhook-timestamp, webhook-signature) when the request has come to ' +
    'its end. Delivered at least once.',
};

function openApiDocument(app: INestApplication, options: GatewayOptions): OpenAPIObject {
  const { stateMachine, queue, access, mountedAt = '' } = options;
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Quorate')
    .setDescription(
      `A Byzantine-fault-tolerant replicated service running ${stateMachine.name}. Every error is application/problem+json with a stable code.`,
    )
    .setVersion('1');
  if (mountedAt !== '') builder.addServer(mountedAt);
  const document = SwaggerModule.createDocument(app, builder.build());
  const schemas: Record<string, SchemaObject> = {};
  for (const [name, schema] of Object.entries(ANSWER_SCHEMAS)) {
    schemas[name] = asComponent(name, z.toJSONSchema(schema, { target: 'draft-2020-12' }));
  }
  schemas.Operation = asComponent('Operation', operationSchema(stateMachine.operation));
  schemas.SubmitRequest = {
    type: 'object',
    properties: { operation: schemaRef('Operation'), ...(queue === undefined ? {} : { webhook: WEBHOOK_SCHEMA }) },
    required: ['operation'],
    additionalProperties: false,
  };
  if (queue === undefined) delete document.paths['/v1/requests']?.post?.responses[202];
  if (access !== undefined) requireToken(document);
  return {
    ...document,
    components: { ...document.components, schemas: { ...document.components?.schemas, ...schemas } },
  };
}

/** What is different where clients are told apart: everything below /v1 needs a token. */
function requireToken(document: OpenAPIObject): void {
  document.components ??= {};
  const description = 'An API key, or a JWT of the issuer that the operator trusts.';
  document.components.securitySchemes = { client: { type: 'http', scheme: 'bearer', description } };
  for (const [path, item] of Object.entries(document.paths)) {
    if (!path.startsWith('/v1/')) continue;
    for (const operation of [item.get, item.post, item.delete]) {
      if (operation === undefined) continue;
      operation.security = [{ client: [] }];
      for (const code of ['unauthenticated', 'forbidden', 'overloaded', 'bus-unavailable'] as const) {
        const { status } = PROBLEM_KINDS[code];
        operation.responses[status] ??= problemResponse([code]);
      }
    }
  }
}

/** The JSON Schema of what the state machine takes, if its schema library tells it (Standard JSON Schema); else anything. */
function operationSchema(schema: GatewayOptions['stateMachine']['operation']): object {
  const standard = schema['~standard'] as {
    readonly jsonSchema?: { input?: (options: { target: string }) => unknown };
  };
  try {
    const converted = standard.jsonSchema?.input?.({ target: 'draft-2020-12' });
    if (typeof converted === 'object' && converted !== null) return converted;
  } catch {
    // A schema that has no JSON Schema, such as one with a transformation.
  }
  return { description: 'Any JSON value that the state machine takes.' };
}

/** A schema's references are to its own root, which is no longer the document's root when it is a component. */
function asComponent(name: string, schema: object): SchemaObject {
  const rewrite = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rewrite);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== '$schema')
        .map(([key, member]: [string, unknown]) => [
          key,
          key === '$ref' && typeof member === 'string' && member.startsWith('#')
            ? `#/components/schemas/${name}${member.slice(1)}`
            : rewrite(member),
        ]),
    );
  };
  return rewrite(schema) as SchemaObject;
}
