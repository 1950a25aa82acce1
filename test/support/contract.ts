import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

/** What a call of an endpoint is made with. */
export interface Call {
  /** For the places in the path. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

const key = 'a/b ü';

/**
 * A valid call of every endpoint that the document has, in an order in which what is read has been written before. An endpoint
 * that the document gains is to be added here: a test compares the two.
 */
export const validCalls: Readonly<Record<string, Call>> = {
  'post /v1/requests': {
    body: JSON.stringify({ operation: { op: 'put', key, value: { deep: [1, null, 'x'] } } }),
    headers: { 'content-type': 'application/json', 'idempotency-key': 'order-17' },
  },
  'post /v1/requests/batch': {
    body: `{"operation":{"op":"delete","key":"other"}}\n{"operation":{"op":"drop"}}\n`,
    headers: { 'content-type': 'application/x-ndjson' },
  },
  'get /health/live': {},
  'get /health/ready': {},
  'get /metrics': {},
  'get /v1/status': {},
  'get /v1/membership': {},
  'get /v1/kv/{key}': { parameters: { key }, query: { consistency: 'linearizable' } },
  'get /v1/state/{key}': { parameters: { key } },
  'get /v1/log': { query: { after: '0' } },
  'get /v1/events': {},
  'get /v1/log/{sequence}': { parameters: { sequence: '1' } },
};

type Responses = Readonly<
  Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>
>;
type Methods = Readonly<Record<string, { readonly responses: Responses }>>;

/** Longer than any answer takes on a busy machine. */
const patienceMs = 60_000;
/** What a server says before it knows which endpoint is meant: documented with none. */
const beforeRouting = new Set([404, 405, 413, 414, 431]);

/** An OpenAPI document beside the server that it describes: each answer is held against it. */
export class Contract {
  /** `get /v1/status` … */
  readonly endpoints: readonly string[];
  private readonly validators = new Map<string, z.ZodType>();

  constructor(
    private readonly url: string,
    private readonly document: OpenAPIObject,
  ) {
    this.endpoints = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as Methods).map((method) => `${method} ${path}`),
    );
  }

  /** @throws {Error} when status, type or body of the answer are not what the document says */
  async ask(endpoint: string, call: Call): Promise<{ readonly status: number; readonly text: string }> {
    const [method = '', template = ''] = endpoint.split(' ');
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => placed(call.parameters?.[name] ?? ''));
    const query = Object.entries(call.query ?? {}).map(([name, value]) => `${name}=${wellFormed(value)}`);
    const response = await fetch(`${this.url}${path}${query.length === 0 ? '' : `?${query.join('&')}`}`, {
      method: method.toUpperCase(),
      headers: latin1(call.headers ?? {}),
      ...(method === 'get' || call.body === undefined ? {} : { body: call.body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
    });
    const text = await textOf(response);
    this.check(endpoint, response, text);
    return { status: response.status, text };
  }

  private check(endpoint: string, response: Response, text: string): void {
    const [method = '', path = ''] = endpoint.split(' ');
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    const { responses } = (this.document.paths[path] as Methods)[method] ?? { responses: {} };
    const documented = responses[String(response.status)]?.content;
    const name = `${endpoint} ${String(response.status)} ${type}`;
    const isGeneral = documented === undefined && beforeRouting.has(response.status);
    const schema = isGeneral ? { $ref: '#/components/schemas/Problem' } : documented?.[type]?.schema;
    if (schema === undefined) throw new Error(`the document has no answer ${name}: ${text}`);
    const bodies = bodiesIn(type, text);
    if (bodies.length === 0) return;
    const validator = this.validators.get(name) ?? this.validatorOf(schema);
    this.validators.set(name, validator);
    for (const body of bodies) {
      const { error } = validator.safeParse(body);
      if (error !== undefined) throw new Error(`${name} is not as documented: ${z.prettifyError(error)}\n${text}`);
    }
  }

  private validatorOf(schema: object): z.ZodType {
    // Its references are to the document's root; JSON Schema's own place for what is referred to is $defs.
    const definitions = this.document.components?.schemas ?? {};
    const text = JSON.stringify({ ...schema, $defs: definitions }).replaceAll('#/components/schemas/', '#/$defs/');
    return z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);
  }
}

/** What is to be as the schema says: all of it, or each line. Other types have no schema worth the name. */
function bodiesIn(type: string, text: string): readonly unknown[] {
  if (!/json$/.test(type)) return [];
  const texts = type === 'application/x-ndjson' ? text.split('\n').filter((line) => line !== '') : [text];
  return texts.map((each) => JSON.parse(each) as unknown);
}

/** In a path: what is empty or dots there would lead to another endpoint. */
function placed(text: string): string {
  return /^\.{0,2}$/.test(text) ? 'x' : wellFormed(text);
}

/** A stream of events has no end: its status and its type are all that is read. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return await response.text();
  await response.body?.cancel();
  return '';
}

/** A lone surrogate cannot be percent-encoded. */
function wellFormed(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '?'));
}

/** What `fetch` can send. */
function latin1(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[\x20-\xff]*$/.test(value)));
}
