import { limits } from '../pbft/configuration.js';
import type { Request, RequestBundle } from '../pbft/messages.js';
import { sequence, type Digest } from '../pbft/types.js';
import { sha256 } from '../crypto/digest.js';
import { Reader, Writer, demand } from './bytes.js';
import { readCredential, writeCredential, type Credential } from './credential.js';

/** Bytes of a client's name: `key:` and 64 hexadecimal digits is the longest. */
const clientBytesMax = 80;

const requestDomain = Buffer.from('quorate/1/request\0', 'ascii');
/** Used again and again: every request is named at every replica. */
const naming = new Writer();

/** SHA-256("quorate/1/request" 0 ‖ client ‖ timestamp ‖ operation digest): a request's name in receipts. */
export function digestOfRequest(client: string, timestamp: number, operationDigest: Digest): Digest {
  return sha256(naming.restart().raw(requestDomain).text(client).u64(timestamp).digest(operationDigest).view());
}

/**
 * The body that a gateway signs: credential ‖ u64 last sequence ‖ u16 count
 * ‖ count × (client ‖ u64 timestamp ‖ u32 length ‖ operation).
 */
export function encodeBundleBody(
  credential: Credential,
  lastSequence: number,
  requests: readonly Pick<Request, 'client' | 'timestamp' | 'operation'>[],
): Buffer {
  const writer = writeCredential(new Writer(), credential).u64(lastSequence);
  return writer
    .list(requests, ({ client, timestamp, operation }) => writer.text(client).u64(timestamp).blob(operation))
    .done();
}

/** @throws {Malformed} */
export function decodeBundleBody(body: Buffer, frameSize: number): { credential: Credential; bundle: RequestBundle } {
  const reader = new Reader(body);
  const credential = readCredential(reader);
  const lastSequence = sequence(reader.u64());
  const requests = reader.list(limits.bundleOperationsMax, (): Request => {
    const client = reader.text(clientBytesMax);
    const timestamp = reader.u64();
    const operation = reader.blob(limits.operationBytesMax);
    const operationDigest = sha256(operation);
    const digest = digestOfRequest(client, timestamp, operationDigest);
    return { client, timestamp, operation, operationDigest, digest };
  });
  reader.end();
  demand(requests.length > 0, 'a bundle of nothing');
  const bundle = { gateway: credential.name, lastSequence, requests, digest: sha256(body), size: frameSize };
  return { credential, bundle };
}

/** The client that an idempotency key is (rule 12), and its only timestamp. */
export const keyedClientPattern = /^key:[0-9a-f]{64}$/;
export const keyedTimestamp = 1;

/** A gateway speaks for itself, and for whoever shows it an idempotency key. */
export function maySpeakFor(gateway: string, client: string): boolean {
  return client === gateway || keyedClientPattern.test(client);
}
