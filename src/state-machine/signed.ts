import { isEnvelope, openEnvelope, type SignedOperation } from '../crypto/signed-operation.js';
import { limits } from '../pbft/configuration.js';
import { keyedTimestamp } from '../wire/bundle.js';
import type { Json } from '../wire/json.js';
import type { StandardResult, StandardSchemaV1 } from './standard-schema.js';
import type { StateMachine } from './state-machine.js';

/** An operation, and the user's signature that came with it. */
interface Asked {
  readonly operation: Json;
  readonly seal?: SignedOperation;
}

/** The execution that a signature is held against. */
interface Moment {
  readonly client: string;
  readonly timestamp: number;
  readonly sequence: number;
  readonly time: number;
}

/**
 * What is asked for, taken out of its envelope where the machine knows of signatures; else why it is refused. A function of its
 * arguments alone.
 */
export function unsealed(
  { signatures }: Pick<StateMachine, 'signatures'>,
  value: Json,
  genesisDigest: Uint8Array | undefined,
): Asked | string {
  if (signatures === undefined) return { operation: value };
  if (!isEnvelope(value)) return signatures === 'required' ? 'must be signed by its user' : { operation: value };
  const seal = genesisDigest === undefined ? undefined : openEnvelope(value, genesisDigest);
  return seal === undefined ? 'is not signed by its key for this cluster' : { operation: seal.operation, seal };
}

/** Why a signature does not hold at this execution; `undefined` when it does. The same everywhere: all of it is agreed. */
export function sealFault(seal: SignedOperation, moment: Moment): { code: string; message: string } | undefined {
  if (seal.client !== moment.client || moment.timestamp !== keyedTimestamp) {
    return { code: 'signed-for-another-key', message: 'the operation was signed for another idempotency key' };
  }
  if (moment.sequence > seal.lastSequence || moment.time > seal.expires) {
    return { code: 'signature-expired', message: 'the signature held until an earlier moment' };
  }
  // For so long at least a client is remembered after it executed (rule 12), so that nothing signed is executed twice.
  if (seal.lastSequence >= moment.sequence + limits.bundleLifetime) {
    return { code: 'signature-too-long', message: 'the signature holds for longer than its client is remembered' };
  }
  return undefined;
}

/** A machine as gateways need it: its schema takes operations in their envelopes, and refuses those that replicas would. */
export function withSignatures(
  machine: StateMachine<unknown>,
  genesisDigest: Uint8Array,
): Pick<StateMachine<unknown>, 'name' | 'operation' | 'query' | 'touches'> {
  if (machine.signatures === undefined) return machine;
  const { version, vendor } = machine.operation['~standard'];
  const validate = (value: unknown): StandardResult<unknown> | Promise<StandardResult<unknown>> => {
    const asked = unsealed(machine, value as Json, genesisDigest);
    if (typeof asked === 'string') return { issues: [{ message: asked }] };
    return machine.operation['~standard'].validate(asked.operation);
  };
  const operation: StandardSchemaV1 = { '~standard': { version, vendor, validate } };
  const { name } = machine;
  return {
    ...{ name, operation },
    ...(machine.query === undefined ? {} : { query: machine.query.bind(machine) }),
    ...(machine.touches === undefined ? {} : { touches: machine.touches.bind(machine) }),
  };
}
