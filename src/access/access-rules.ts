import { timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { invalidSetting } from '../config/settings.js';
import { digestOfKey } from './api-key.js';
import type { Right } from './rights.js';

/** Names of clients: also what may be the subject of a token. */
export const clientNamePattern = /^[\x21-\x7e]{1,64}$/;
/** The entry for clients whose tokens are genuine and who have no entry of their own. */
const anyOther = '*';
const reservedName = 'operator';
const fileBytesMax = 4 * 1024 * 1024;

const rightSchema = z.strictObject({
  operations: z.array(z.string().min(1).max(64)).min(1).max(64),
  keyPrefix: z.string().max(1024).optional(),
});

const clientSchema = z.strictObject({
  name: z
    .string()
    .regex(clientNamePattern)
    .refine((name) => name !== reservedName, { error: `"${reservedName}" is who has OPERATOR_KEY` }),
  keys: z
    .array(
      z.strictObject({
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        /** From then on it is not taken. */
        expires: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .max(16)
    .default([]),
  rights: z.array(rightSchema).max(64),
  requestsPerMinute: z.int().min(1).max(10_000_000).optional(),
});

const fileSchema = z.strictObject({ clients: z.array(clientSchema).max(10_000) });

/** Somebody who may use the gateway. */
export interface Client {
  readonly name: string;
  readonly rights: readonly Right[];
  /** Requests in a minute, at all gateways together; the setting's where it is absent. */
  readonly requestsPerMinute?: number | undefined;
}

interface StoredKey {
  readonly digest: Buffer;
  readonly expiresMs: number;
  readonly client: Client;
}

/** Who may use the gateway, by API keys of which only digests are known. */
export class AccessRules {
  private readonly clients = new Map<string, Client>();
  private readonly keys = new Map<string, StoredKey[]>();

  /** @param text the file's JSON. @throws {Error} with what is wrong, for people */
  constructor(text: string) {
    const parsed = fileSchema.safeParse(JSON.parse(text));
    if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
    for (const { keys, ...client } of parsed.data.clients) {
      if (this.clients.has(client.name)) throw new Error(`there are two clients named ${client.name}`);
      this.clients.set(client.name, client);
      for (const { sha256, expires } of keys) {
        const digest = Buffer.from(sha256, 'hex');
        const expiresMs = expires === undefined ? Infinity : Date.parse(expires);
        this.keys.set(shelf(digest), [...(this.keys.get(shelf(digest)) ?? []), { digest, expiresMs, client }]);
      }
    }
  }

  /** Whose key it is. @param now milliseconds since 1970 */
  ofKey(key: string, now: number): Client | undefined {
    const digest = digestOfKey(key);
    const found = this.keys.get(shelf(digest))?.find((stored) => timingSafeEqual(stored.digest, digest));
    return found !== undefined && now < found.expiresMs ? found.client : undefined;
  }

  /** The client that a genuine token names. */
  named(name: string): Client | undefined {
    const other = this.clients.get(anyOther);
    return this.clients.get(name) ?? (other === undefined ? undefined : { ...other, name });
  }
}

/** Where a digest is looked up. How long that takes tells of its first bytes alone, and nobody can choose those of a key's. */
function shelf(digest: Buffer): string {
  return digest.toString('hex', 0, 4);
}

/** @throws {QuorateError} `invalid-setting` when the file cannot be read or is wrong */
export async function readAccessRules(file: string): Promise<AccessRules> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`);
    return new AccessRules(text);
  } catch (error) {
    throw invalidSetting('ACCESS_FILE', file, `a file of clients and their rights (${(error as Error).message})`);
  }
}
