import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Reply } from '../crypto/receipt.js';
import { canonicalJson, type Json } from '../wire/json.js';
import type { AsyncRequest } from './async-requests.js';
import type { Seal } from './seal.js';

/** It was parsed from JSON, so it is JSON. */
const json = z.custom<Json>((value) => value !== undefined);
const sealSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** What a job of the queue holds. */
const jobSchema = z.strictObject({
  version: z.literal(1),
  key: z.string().min(1).max(256),
  operation: json,
  owner: z.string().max(64).nullable(),
  webhook: z.string().max(2048).nullable(),
  seal: sealSchema,
});
export type RequestJob = z.infer<typeof jobSchema>;

/** What a job that has come to its end holds; `null`: it was cancelled. */
const outcomeSchema = z.strictObject({ reply: json.nullable(), seal: sealSchema });
export type RequestOutcome = z.infer<typeof outcomeSchema>;

const idDigits = 32;

/** The id of a request follows from its idempotency key, so that the same key is the same job, whoever adds it. */
export function idOfKey(key: string): string {
  return `r${createHash('sha256').update(key, 'utf8').digest('hex').slice(0, idDigits)}`;
}

export function isRequestId(text: string): boolean {
  return /^r[0-9a-f]{32}$/.test(text);
}

/** A job for a request, marked as a gateway's own. */
export function jobOf({ key, operation, owner, webhook }: AsyncRequest, seal: Seal): RequestJob {
  const content = {
    version: 1 as const,
    key: key ?? `async:${randomUUID()}`,
    operation,
    owner,
    webhook: webhook ?? null,
  };
  return { ...content, seal: seal.of('request', content) };
}

/** What Redis hands back as the job of `id`; `undefined` when no gateway has written it. */
export function readJob(id: string, data: unknown, seal: Seal): RequestJob | undefined {
  const parsed = jobSchema.safeParse(data);
  if (!parsed.success) return undefined;
  const { seal: mark, ...content } = parsed.data;
  return idOfKey(content.key) === id && seal.isGenuine('request', content, mark) ? parsed.data : undefined;
}

/** Whether two jobs of one key ask for the same. */
export function askForTheSame(a: RequestJob, b: RequestJob): boolean {
  return canonicalJson(a.operation) === canonicalJson(b.operation) && a.webhook === b.webhook && a.owner === b.owner;
}

/** @param reply `null`: cancelled */
export function outcomeOf(id: string, reply: Reply | null, seal: Seal): RequestOutcome {
  const content = reply as Json;
  return { reply: content, seal: seal.of(`outcome ${id}`, content) };
}

/** What Redis hands back as the outcome of `id`; `undefined` when no gateway has written it. */
export function readOutcome(id: string, data: unknown, seal: Seal): { readonly reply: Reply | null } | undefined {
  const parsed = outcomeSchema.safeParse(data);
  if (!parsed.success || !seal.isGenuine(`outcome ${id}`, parsed.data.reply, parsed.data.seal)) return undefined;
  return { reply: parsed.data.reply as Reply | null };
}
