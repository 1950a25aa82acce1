import { z } from 'zod';
import { keyedClientPattern } from '../wire/bundle.js';
import { Writer } from '../wire/bytes.js';
import { canonicalJsonBytes, type Json } from '../wire/json.js';
import { sha256 } from './digest.js';
import { sign, signatureBytes, verifyUnderShownKey, type Identity } from './ed25519.js';
import { publicKeyBytes } from './public-key.js';
import { base64Bytes, wholeNumber } from './text-forms.js';

/** The one member of an operation that its user has signed. */
const envelopeMember = '$signed';
const domain = Buffer.from('quorate/1/operation\0', 'ascii');

/** What a user's signature holds for, besides the operation. */
export interface SignedTerms {
  /** The client in whose name it is executed: that of its idempotency key. */
  readonly client: string;
  /** Executed at this sequence number at the latest. */
  readonly lastSequence: number;
  /** Executed at this agreed time at the latest, milliseconds since 1970. */
  readonly expires: number;
}

/** An operation as its user has signed it, with a signature that was verified. */
export interface SignedOperation extends SignedTerms {
  readonly operation: Json;
  /** The user's public key, canonical base64. */
  readonly signer: string;
}

const envelopeSchema = z.strictObject({
  [envelopeMember]: z.strictObject({
    client: z.string().regex(keyedClientPattern),
    expires: wholeNumber(0),
    key: base64Bytes(publicKeyBytes),
    lastSequence: wholeNumber(0),
    operation: z.custom<Json>((value) => value !== undefined),
    signature: base64Bytes(signatureBytes),
  }),
});

/** Whether it says of itself that it is signed. */
export function isEnvelope(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, envelopeMember);
}

/**
 * What is in an envelope; `undefined` unless its form is right and its key has signed it for this cluster. A function of its
 * arguments alone, so that all replicas take the same ones.
 */
export function openEnvelope(value: unknown, genesisDigest: Uint8Array): SignedOperation | undefined {
  const parsed = envelopeSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { operation, key, signature, client, lastSequence, expires } = parsed.data[envelopeMember];
  const terms = { client, lastSequence, expires };
  if (!verifyUnderShownKey(key, signedBytes(genesisDigest, terms, key, operation), signature)) return undefined;
  return { operation, signer: key.toString('base64'), ...terms };
}

/** The operation in an envelope, signed by this user for this cluster. */
export function sealEnvelope(operation: Json, terms: SignedTerms, genesisDigest: Uint8Array, user: Identity): Json {
  const { client, lastSequence, expires } = terms;
  const { rawPublicKey: key, privateKey } = user;
  const signature = sign(privateKey, signedBytes(genesisDigest, terms, key, operation));
  return {
    [envelopeMember]: {
      ...{ client, expires, lastSequence, operation },
      key: key.toString('base64'),
      signature: signature.toString('base64'),
    },
  };
}

/** "quorate/1/operation" 0 ‖ genesis digest ‖ str client ‖ u64 last sequence ‖ u64 expires ‖ key ‖ SHA-256 of the operation's canonical JSON. */
function signedBytes(genesisDigest: Uint8Array, terms: SignedTerms, key: Uint8Array, operation: Json): Buffer {
  return new Writer()
    .raw(domain)
    .raw(genesisDigest)
    .text(terms.client)
    .u64(terms.lastSequence)
    .u64(terms.expires)
    .raw(key)
    .digest(sha256(canonicalJsonBytes(operation)))
    .done();
}
