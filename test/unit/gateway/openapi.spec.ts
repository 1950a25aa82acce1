import { afterEach, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import request from 'supertest';
import { z } from 'zod';
import { PROBLEM_KINDS } from '../../../src/gateway/problem.js';
import { start, stopAll } from './support.js';

afterEach(stopAll);

async function documentOf(options: Parameters<typeof start>[0] = {}): Promise<OpenAPIObject> {
  const { gateway } = await start(options);
  const answer = await request(gateway.url).get('/openapi.json').expect(200);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  return answer.body as OpenAPIObject;
}

/** Every `$ref` in a document. */
function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    key === '$ref' && typeof member === 'string' ? [member] : refsIn(member),
  );
}

function resolve(document: unknown, ref: string): unknown {
  const segments = ref.slice(2).split('/');
  return segments.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
}

describe('the OpenAPI document', () => {
  it('has every path of the contract, and the statuses of each', async () => {
    const { openapi, paths } = await documentOf();
    expect(openapi).toBe('3.1.0');
    const statuses = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item as Record<string, { responses: object }>).map(
        ([method, { responses }]) => `${method} ${path}: ${Object.keys(responses).sort().join(' ')}`,
      ),
    );
    expect(statuses.sort()).toStrictEqual([
      'get /health/live: 200',
      'get /health/ready: 200 500 503',
      'get /metrics: 200',
      'get /v1/events: 200 400 410 429 500 503 504',
      'get /v1/kv/{key}: 200 400 404 429 500 503 504',
      'get /v1/log/{sequence}: 200 400 404 410 429 500 503 504',
      'get /v1/log: 200 400 410 429 500 503 504',
      'get /v1/membership: 200 400 500 503',
      'get /v1/state/{key}: 200 400 403 404 429 500 503 504',
      'get /v1/status: 200 400 500 503',
      'post /v1/requests/batch: 200 400 408 413 415 429 500 503',
      'post /v1/requests: 200 400 408 409 413 415 429 500 503 504',
    ]);
  });

  it('describes each error as problem+json with its codes', async () => {
    const { paths } = await documentOf();
    const submit = paths['/v1/requests']?.post?.responses;
    expect(submit?.['503']).toStrictEqual({
      description: `bus-unavailable: ${PROBLEM_KINDS['bus-unavailable'].title}. shutting-down: ${PROBLEM_KINDS['shutting-down'].title}.`,
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    });
    expect(submit?.['200']).toMatchObject({
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Reply' } } },
    });
  });

  it('refers to nothing that is not in it', async () => {
    const document = await documentOf();
    const refs = refsIn(document);
    expect(refs.length).toBeGreaterThan(20);
    for (const ref of refs) {
      expect(ref).toMatch(/^#\//);
      expect([ref, typeof resolve(document, ref)]).toStrictEqual([ref, 'object']);
    }
  });

  it('shows what the state machine takes', async () => {
    const { components } = await documentOf();
    expect(components?.schemas?.SubmitRequest).toStrictEqual({
      type: 'object',
      properties: { operation: { $ref: '#/components/schemas/Operation' } },
      required: ['operation'],
      additionalProperties: false,
    });
    expect(JSON.stringify(components?.schemas?.Operation)).toContain('"const":"put"');
  });

  it('shows any value for a schema that has no JSON Schema', async () => {
    for (const operation of [
      z.custom<string>((value) => typeof value === 'string'),
      { '~standard': { version: 1, vendor: 'mine', validate: (value: unknown) => ({ value }) } } as const,
    ]) {
      const { components } = await documentOf({ stateMachine: { name: 'm@1', operation } });
      expect(components?.schemas?.Operation).toStrictEqual({
        description: 'Any JSON value that the state machine takes.',
      });
    }
  });
});

describe('the docs page', () => {
  it('is served whole, without a script inside it', async () => {
    const { gateway } = await start();
    const page = await request(gateway.url).get('/docs').expect(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("script-src 'self';");
    for (const [, attributes = '', content = ''] of page.text.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)) {
      expect(content.trim()).toBe('');
      const [, source = ''] = /src="\.\/([^"]+)"/.exec(attributes) ?? [];
      await request(gateway.url).get(`/${source}`).expect(200);
    }
    await request(gateway.url).get('/docs/swagger-ui.css').expect(200);
    await request(gateway.url).get('/docs/').expect(200);
  });
});
