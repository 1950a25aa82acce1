import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { clientOfKey } from '../client/idempotency-keys.js';
import { trusted } from '../client/trusted.js';
import { identityOf, type Identity } from '../crypto/ed25519.js';
import { sealEnvelope } from '../crypto/signed-operation.js';
import { QuorateError } from '../errors.js';
import { limits } from '../pbft/configuration.js';
import type { Json } from '../wire/json.js';

/** A signature holds this much longer than its call waits, milliseconds: agreed time may run ahead of ours. */
const graceMs = limits.clockToleranceMs;

const statusSchema = z.object({
  f: z.number(),
  replicas: z.array(z.object({ lastExecuted: z.number().nullable() })),
});

/** What a user signs for, and with what. */
export interface Signing {
  readonly signWith: KeyObject;
  /** The key under which the request is executed, in full. */
  readonly executedUnder: string;
  readonly genesisDigest: Uint8Array;
  readonly deadlineMs: number;
  /** What the cluster says of itself: where it is. Who lies there has the signature refused, or has it hold until it expires. */
  readonly status: unknown;
}

/**
 * The operation, signed by its user for this cluster and this key alone: executed once, in time or not at all.
 * @throws {QuorateError} `invalid-setting` when the key is no Ed25519 private key; `internal` for a status that is none
 */
export function signedOperation(operation: Json, signing: Signing): Json {
  const { signWith, executedUnder, genesisDigest, deadlineMs } = signing;
  const user = identityFrom(signWith);
  const status = statusSchema.safeParse(signing.status);
  if (!status.success) throw new QuorateError('internal', 'the status is of a form that this version does not know');
  const { f, replicas } = status.data;
  const reached =
    trusted(
      replicas.map(({ lastExecuted }) => lastExecuted ?? 0),
      f,
    ) ?? 0;
  const terms = {
    client: clientOfKey(executedUnder),
    // As far ahead as replicas take it, but for what others execute meanwhile and for those that are behind.
    lastSequence: reached + limits.bundleLifetime - limits.bundleLifetimeMargin,
    expires: Date.now() + deadlineMs + graceMs,
  };
  return sealEnvelope(operation, terms, genesisDigest, user);
}

function identityFrom(key: KeyObject): Identity {
  try {
    return identityOf(key);
  } catch (error) {
    const text = 'signWith should be an Ed25519 private key: a KeyObject of node:crypto';
    throw new QuorateError('invalid-setting', text, {}, { cause: error });
  }
}
