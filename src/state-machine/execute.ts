import type { SignedOperation } from '../crypto/signed-operation.js';
import { limits } from '../pbft/configuration.js';
import { InvariantViolation } from '../pbft/invariant.js';
import type { Json } from '../wire/json.js';
import { isCanonicalText, jsonText } from './json-value.js';
import { AgreedRandom, type Occasion } from './agreed-random.js';
import { sealFault, unsealed } from './signed.js';
import {
  OperationRejected,
  type OperationContext,
  type ReadonlyState,
  type State,
  type StateMachine,
} from './state-machine.js';

/** How deep containers may be nested in an operation or a query: what strict-json.ts allows by default. */
const operationDepthMax = 32;

/** Told of what a state machine must not do, with the error where there is one. Never part of a result. */
export type OnDefect = (error: unknown) => void;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

/** An operation as the machine's schema gives it. Executed once: the machine may keep and change what is in it. */
export interface DecodedOperation {
  readonly operation: unknown;
  /** Its user's signature, verified. */
  readonly seal?: SignedOperation | undefined;
}

/** All that was agreed about an operation, besides what it says. */
export interface Circumstances extends Occasion {
  readonly client: string;
  readonly timestamp: number;
}

/** A state whose writes are made between `begin` and `commit`, or are undone by `rollback`. */
export interface TransactionalState extends State {
  begin(): void;
  commit(): void;
  rollback(): void;
}

/**
 * Executes one operation and gives its result as canonical JSON; `undefined` is one that the machine does not take. Whatever the state machine does, it is one whole
 * operation or none: when it throws, answers later, or answers with something else than JSON, its writes are undone and
 * the result says so, in words that are the same at every replica.
 */
export function executeOperation(
  machine: StateMachine<unknown>,
  state: TransactionalState,
  decoded: DecodedOperation | undefined,
  circumstances: Circumstances,
  onDefect: OnDefect,
): string {
  if (decoded === undefined) return failure('invalid-operation', 'the state machine does not know this operation');
  const fault = decoded.seal === undefined ? undefined : sealFault(decoded.seal, circumstances);
  if (fault !== undefined) return failure(fault.code, fault.message);
  state.begin();
  try {
    const result = encodeResult(
      machine.apply(decoded.operation, contextOf(circumstances, state, decoded.seal?.signer)),
      onDefect,
    );
    state.commit();
    return result;
  } catch (error) {
    state.rollback();
    return resultOf(error, onDefect);
  }
}

/**
 * Answers a query as canonical JSON. `undefined`: there is no such thing; also for a query that the state machine does
 * not take, or fails at.
 */
export function answerQuery(
  machine: StateMachine<unknown>,
  state: ReadonlyState,
  bytes: Uint8Array,
  onDefect: OnDefect,
): Uint8Array | undefined {
  const query = decodeCanonical(bytes);
  if (query === undefined) return undefined;
  try {
    const answer = machine.query?.(query.value, state);
    return answer === undefined ? undefined : utf8.encode(encodeResult(answer, onDefect));
  } catch (error) {
    resultOf(error, onDefect);
    return undefined;
  }
}

/**
 * The operation in `bytes`, if they are one that `machine` executes: canonical JSON (hence without doubled keys, white
 * space or numbers that a double does not hold), within the limits, as the machine's schema wants it, and, where the machine knows
 * of signatures, signed for the cluster of this genesis or not at all. A backup asks before it prepares.
 */
export function decodeOperation(
  machine: StateMachine<unknown>,
  bytes: Uint8Array,
  genesisDigest?: Uint8Array,
): DecodedOperation | undefined {
  const decoded = decodeCanonical(bytes);
  if (decoded === undefined) return undefined;
  try {
    const asked = unsealed(machine, decoded.value, genesisDigest);
    if (typeof asked === 'string') return undefined;
    const checked = machine.operation['~standard'].validate(asked.operation);
    if (checked instanceof Promise) {
      checked.catch(() => undefined); // zod answers so when a check of the schema throws
      return undefined;
    }
    return checked.issues === undefined ? { operation: checked.value, seal: asked.seal } : undefined;
  } catch {
    return undefined; // a schema that throws has not accepted it
  }
}

function contextOf(circumstances: Circumstances, state: State, signer: string | undefined): OperationContext {
  const { client, sequence, time } = circumstances;
  const chance = new AgreedRandom(circumstances);
  const randomBytes = (count: number): Uint8Array => chance.bytes(count);
  return { client, signer, sequence, time, state, random: () => chance.number(), randomBytes };
}

/** The JSON value whose canonical encoding `bytes` are. */
function decodeCanonical(bytes: Uint8Array): { value: Json } | undefined {
  if (bytes.length > limits.operationBytesMax) return undefined;
  try {
    const text = strictUtf8.decode(bytes);
    const value = JSON.parse(text) as Json;
    return isCanonicalText(text, value, operationDepthMax) ? { value } : undefined;
  } catch {
    return undefined;
  }
}

/** Texts of results that cannot change: a machine may give the same object again and again. */
const frozenResults = new WeakMap<object, string>();

/** @throws {OperationRejected} `result-too-large`, `result-too-deep`; {TypeError} when it is no JSON */
function encodeResult(result: unknown, onDefect: OnDefect): string {
  const isConstant = typeof result === 'object' && result !== null && Object.isFrozen(result) && !('toJSON' in result);
  if (!isConstant) return textOfResult(result, onDefect);
  const known = frozenResults.get(result);
  if (known !== undefined) return known;
  const text = textOfResult(result, onDefect);
  if (Object.values(Object.getOwnPropertyDescriptors(result)).every(isForEver)) frozenResults.set(result, text);
  return text;
}

/** Whether a member of a frozen object is always the same: no getter, and nothing that can change inside. */
function isForEver(member: PropertyDescriptor): boolean {
  return (
    'value' in member &&
    typeof member.value !== 'function' &&
    (typeof member.value !== 'object' || member.value === null)
  );
}

function textOfResult(result: unknown, onDefect: OnDefect): string {
  if (result instanceof Promise) {
    result.catch(onDefect); // nobody else waits for it
    throw new TypeError('a state machine must answer at once, not with a promise');
  }
  const json = jsonText(result, limits.resultBytesMax);
  if (json === 'not-json') throw new TypeError('a state machine must answer with JSON');
  if (json === 'too-deep') throw new OperationRejected('result-too-deep', 'the result is nested too deep');
  if (json === 'too-large') {
    throw new OperationRejected('result-too-large', `a result has at most ${String(limits.resultBytesMax)} bytes`);
  }
  return json.text;
}

function resultOf(error: unknown, onDefect: OnDefect): string {
  if (error instanceof InvariantViolation) throw error;
  if (error instanceof OperationRejected) return failure(error.code, error.message, error.details);
  onDefect(error);
  return failure('internal');
}

/** The text of an error of another kind stays out: it may differ between replicas. */
function failure(code: string, message?: string, details?: unknown): string {
  const said = message === undefined ? { code } : { code, message };
  const error = details === undefined ? said : { ...said, details };
  const json = jsonText({ ok: false, error }, limits.resultBytesMax);
  return typeof json === 'object' ? json.text : failure('internal');
}
