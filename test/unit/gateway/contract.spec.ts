import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenAPIObject } from '@nestjs/swagger';
import fc from 'fast-check';
import { Contract, validCalls } from '../../support/contract.js';
import { start, stopAll, type Started } from './support.js';

/** Printed with every failure by fast-check; another seed explores other inputs. */
const seed = 1_999;
const numRuns = 150;

let started: Started;
let contract: Contract;

beforeAll(async () => {
  started = await start();
  const response = await fetch(`${started.gateway.url}/openapi.json`);
  contract = new Contract(started.gateway.url, (await response.json()) as OpenAPIObject);
});

afterAll(stopAll);

describe('every endpoint of the OpenAPI document', () => {
  it('is called at least once', () => {
    expect(Object.keys(validCalls).sort()).toEqual([...contract.endpoints].sort());
  });

  it.each(Object.entries(validCalls))('answers %s as it is documented', async (endpoint, call) => {
    expect(contract.endpoints).toContain(endpoint);
    expect((await contract.ask(endpoint, call)).status).toBe(200);
  });

  const word = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.constantFrom('', '0', '-1', '1e3', '9007199254740993', '%', '..', 'null', '\u0000', '​'),
  );
  const headers = fc.dictionary(
    fc.constantFrom('content-type', 'accept', 'prefer', 'idempotency-key', 'x-forwarded-for', 'content-encoding'),
    fc.constantFrom(
      '',
      ' ',
      'application/json',
      'application/x-ndjson',
      'text/plain',
      'respond-async',
      '*',
      'ü'.repeat(3),
      'a'.repeat(300),
    ),
  );
  const json = fc.oneof(
    fc.json(),
    fc.jsonValue().map((operation) => JSON.stringify({ operation })),
    fc
      .record({ op: fc.constantFrom('put', 'delete', 'drop'), key: word, value: fc.jsonValue() }, { requiredKeys: [] })
      .map((operation) => JSON.stringify({ operation })),
  );
  const body = fc.oneof(
    json,
    fc.string(),
    json.map((text) => text.slice(1)),
    json.map((text) => text + text),
  );
  const call = fc.record({
    endpoint: fc.integer({ min: 0, max: 100 }),
    parameters: fc.record({ key: word, sequence: word }),
    query: fc.oneof(fc.constant({}), fc.dictionary(fc.constantFrom('consistency', 'after', 'x', '__proto__'), word)),
    headers,
    body: fc.option(body, { nil: undefined }),
  });

  it('answers generated input as it is documented, and never with a 5xx', async () => {
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(call, async ({ endpoint, ...rest }) => {
        const chosen = contract.endpoints[endpoint % contract.endpoints.length] ?? '';
        const { status } = await contract.ask(chosen, rest);
        seen.set(status, (seen.get(status) ?? 0) + 1);
        expect(status).toBeLessThan(500);
      }),
      { seed, numRuns },
    );
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400]));
  });
});

describe('the check itself', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'integer' } },
    required: ['a'],
    additionalProperties: false,
  };
  const document = (answer: object) =>
    ({
      paths: {
        '/health/live': { get: { responses: { 200: { content: { 'application/json': { schema: answer } } } } } },
      },
    }) as unknown as OpenAPIObject;

  it.each<[string, object | undefined]>([
    ['a body that the schema does not have', schema],
    ['a type that is not documented', undefined],
  ])('finds %s', async (_, answer) => {
    const wrong = new Contract(
      started.gateway.url,
      answer === undefined
        ? ({ paths: { '/health/live': { get: { responses: {} } } } } as unknown as OpenAPIObject)
        : document(answer),
    );
    await expect(wrong.ask('get /health/live', {})).rejects.toThrow();
  });
});
