import { limits } from '../pbft/configuration.js';
import type { Request, RequestBundle } from '../pbft/messages.js';
import { sequence, type Digest, type SequenceNumber } from '../pbft/types.js';
import { sha256 } from '../crypto/digest.js';
import { hashBytes } from '../crypto/merkle.js';
import { Reader, Writer, demand, writeU64 } from './bytes.js';
import { credentialBytes, readCredential, writeCredential, type Credential } from './credential.js';

/** Bytes of a client's name: `key:` and 64 hexadecimal digits is the longest. */
const clientBytesMax = 80;

const requestDomain = Buffer.from('quorate/1/request\0', 'ascii');
const nameTailBytes = 8 + hashBytes;
/** The last client's, used again and again: every request is named at every replica, and most of a bundle are of one client. */
let naming = { client: '', bytes: namesOf('') };

/** Room for the names of one client's requests, with what they begin with. */
function namesOf(client: string): Buffer {
  return new Writer().raw(requestDomain).text(client).raw(Buffer.alloc(nameTailBytes)).done();
}

/** SHA-256("quorate/1/request" 0 ‖ client ‖ timestamp ‖ operation digest): a request's name in receipts. */
export function digestOfRequest(client: string, timestamp: number, operationDigest: Digest): Digest {
  if (client !== naming.client) naming = { client, bytes: namesOf(client) };
  const { bytes } = naming;
  const tail = bytes.length - nameTailBytes;
  writeU64(bytes, timestamp, tail);
  bytes.write(operationDigest, tail + 8, 'hex');
  return sha256(bytes);
}

type SentRequest = Pick<Request, 'client' | 'timestamp' | 'operation'>;

/**
 * The body that a gateway signs, by its SHA-256: credential ‖ u64 last sequence ‖ u16 count
 * ‖ count × (client ‖ u64 timestamp ‖ u32 length ‖ operation).
 */
export function encodeBundleBody(
  credential: Credential,
  lastSequence: number,
  requests: readonly SentRequest[],
): Buffer {
  let bytes = credentialBytes(credential) + 8 + 2;
  for (const request of requests) bytes += requestBytes(request);
  const writer = writeCredential(new Writer(bytes), credential).u64(lastSequence);
  return writer
    .list(requests, ({ client, timestamp, operation }) => writer.text(client).u64(timestamp).blob(operation))
    .done();
}

function requestBytes({ client, operation }: SentRequest): number {
  return 2 + Buffer.byteLength(client) + 8 + 4 + operation.length;
}

/** A bundle out of the body that its gateway signed. */
class DecodedBundle implements RequestBundle {
  readonly digest: Digest;
  private decoded: readonly Request[] | undefined;

  /** @param body well-formed */
  constructor(
    private readonly body: Buffer,
    readonly gateway: string,
    readonly lastSequence: SequenceNumber,
    requests: readonly Request[],
    readonly size: number,
  ) {
    this.digest = sha256(body);
    this.decoded = requests;
  }

  get requests(): readonly Request[] {
    this.decoded ??= readBundle(this.body).requests;
    return this.decoded;
  }

  letGo(): void {
    this.decoded = undefined;
  }
}

/**
 * An executed bundle is kept for those who are behind, as bytes: the objects made of its requests are many, and hardly anybody looks at
 * them again. Whoever does gets them anew.
 */
export function letGoOfRequests(bundle: RequestBundle): void {
  if (bundle instanceof DecodedBundle) bundle.letGo();
}

/** @throws {Malformed} */
export function decodeBundleBody(body: Buffer, frameSize: number): { credential: Credential; bundle: RequestBundle } {
  const { credential, lastSequence, requests } = readBundle(body);
  return { credential, bundle: new DecodedBundle(body, credential.name, lastSequence, requests, frameSize) };
}

interface BundleContent {
  readonly credential: Credential;
  readonly lastSequence: SequenceNumber;
  readonly requests: readonly Request[];
}

/** @throws {Malformed} */
function readBundle(body: Buffer): BundleContent {
  const reader = new Reader(body);
  const credential = readCredential(reader);
  const lastSequence = sequence(reader.u64());
  const requests = reader.list(limits.bundleOperationsMax, () => readRequest(reader));
  reader.end();
  demand(requests.length > 0, 'a bundle of nothing');
  return { credential, lastSequence, requests };
}

function readRequest(reader: Reader): Request {
  const client = reader.text(clientBytesMax);
  const timestamp = reader.u64();
  const operation = reader.blob(limits.operationBytesMax);
  const operationDigest = sha256(operation);
  const digest = digestOfRequest(client, timestamp, operationDigest);
  return { client, timestamp, operation, operationDigest, digest, decoded: undefined };
}

/** The client that an idempotency key is (rule 12), and its only timestamp. */
export const keyedClientPattern = /^key:[0-9a-f]{64}$/;
export const keyedTimestamp = 1;

/** A gateway speaks for itself, and for whoever shows it an idempotency key. */
export function maySpeakFor(gateway: string, client: string): boolean {
  return client === gateway || keyedClientPattern.test(client);
}
