import { z } from 'zod';
import { canonicalJson, type Json } from '../wire/json.js';
import { jsonText } from './json-value.js';
import { stateLimits } from './merkle-state.js';
import {
  OperationRejected,
  type OperationContext,
  type ReadonlyState,
  type State,
  type StateMachine,
} from './state-machine.js';

/** Bytes of a value's canonical JSON: below the limit of a result, so that whatever was stored can be read. */
export const valueBytesMax = 63 * 1024;

/** Text that fits however it is escaped, which spares the most common values a closer look. */
function isShortText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= valueBytesMax / 6 - 2 && value.isWellFormed();
}

const keySchema = z
  .string()
  .min(1)
  .refine((key) => key.isWellFormed() && Buffer.byteLength(key) <= stateLimits.keyBytesMax, {
    error: `must be at most ${String(stateLimits.keyBytesMax)} bytes of UTF-8`,
  });

const valueSchema = z.custom<Json>(
  (value) => isShortText(value) || typeof jsonText(value, valueBytesMax) === 'object',
  {
    error: `must be JSON of at most ${String(valueBytesMax)} bytes`,
  },
);

const singles = [
  z.strictObject({ op: z.literal('put'), key: keySchema, value: valueSchema }),
  z.strictObject({ op: z.literal('get'), key: keySchema }),
  z.strictObject({ op: z.literal('delete'), key: keySchema }),
  z.strictObject({
    op: z.literal('compare-and-set'),
    key: keySchema,
    /** Absent: the key must not exist. */
    expected: valueSchema.optional(),
    value: valueSchema,
  }),
  z.strictObject({ op: z.literal('increment'), key: keySchema, by: z.int().default(1) }),
] as const;

const conditionSchema = z.union([
  z.strictObject({ key: keySchema, exists: z.boolean() }),
  z.strictObject({ key: keySchema, equals: valueSchema }),
]);

/** Conditions, and operations, of one transaction. */
const transactionPartsMax = 128;

const operationSchema = z.discriminatedUnion('op', [
  ...singles,
  z.strictObject({
    op: z.literal('transaction'),
    /** All must hold, of the state before the transaction. */
    conditions: z.array(conditionSchema).max(transactionPartsMax).default([]),
    /** Executed in order; all of them or none. */
    operations: z.array(z.discriminatedUnion('op', singles)).min(1).max(transactionPartsMax),
  }),
]);

const querySchema = z.strictObject({ op: z.literal('get'), key: keySchema });

export type KeyValueOperation = z.output<typeof operationSchema>;
type Single = z.output<(typeof singles)[number]>;
type Condition = z.output<typeof conditionSchema>;

/** The default replicated service: JSON values under text keys. */
export default class KeyValueService implements StateMachine<KeyValueOperation> {
  readonly name = 'key-value@1';
  readonly operation = operationSchema;

  apply(operation: KeyValueOperation, { state }: OperationContext): Json {
    if (operation.op !== 'transaction') return applySingle(operation, state);
    for (const [index, condition] of operation.conditions.entries()) {
      if (!holds(condition, state)) {
        throw new OperationRejected('condition-failed', 'a condition does not hold', { index, key: condition.key });
      }
    }
    const results = operation.operations.map((single, index) => {
      const result = applySingle(single, state) as { readonly ok: boolean };
      if (result.ok) return result;
      throw new OperationRejected('operation-failed', 'one of the operations failed', { index, result });
    });
    return { ok: true, results };
  }

  /** Whoever sets a condition on a key learns of its value: it takes the right to `get` it. */
  touches(operation: KeyValueOperation): { operation: string; key: string }[] {
    if (operation.op !== 'transaction') return [{ operation: operation.op, key: operation.key }];
    const conditions = operation.conditions.map(({ key }) => ({ operation: 'get', key }));
    return [...conditions, ...operation.operations.map(({ op, key }) => ({ operation: op, key }))];
  }

  query(query: Json, state: ReadonlyState): Json | undefined {
    const parsed = querySchema.safeParse(query);
    return parsed.success ? state.get(parsed.data.key) : undefined;
  }
}

/** Of what has nothing else to say. Frozen, so that it is written as JSON once. */
const done: Json = Object.freeze({ ok: true });

function applySingle(operation: Single, state: State): Json {
  const { key } = operation;
  switch (operation.op) {
    case 'put':
      state.set(key, operation.value);
      return done;
    case 'get':
      return read(state, key);
    case 'delete':
      return { ok: true, existed: state.delete(key) };
    case 'compare-and-set':
      return compareAndSet(state, key, operation.expected, operation.value);
    case 'increment':
      return increment(state, key, operation.by);
  }
}

function holds(condition: Condition, state: ReadonlyState): boolean {
  if ('exists' in condition) return state.has(condition.key) === condition.exists;
  return isSame(state.get(condition.key), condition.equals);
}

function read(state: ReadonlyState, key: string): Json {
  const value = state.get(key);
  return value === undefined ? { ok: true, found: false } : { ok: true, found: true, value };
}

function compareAndSet(state: State, key: string, expected: Json | undefined, value: Json): Json {
  const actual = state.get(key);
  if (!isSame(actual, expected)) {
    const error = { code: 'mismatch', message: 'the value is not the expected one' };
    return actual === undefined ? { ok: false, error } : { ok: false, error, actual };
  }
  state.set(key, value);
  return done;
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}

/** A key that does not exist counts from 0. */
function increment(state: State, key: string, by: number): Json {
  const stored = state.get(key);
  const before = stored === undefined ? 0 : stored;
  if (typeof before !== 'number') return failure('not-a-number', 'the value is not a number');
  if (!Number.isSafeInteger(before)) return failure('not-an-integer', 'the value is not an integer');
  const value = before + by;
  if (!Number.isSafeInteger(value)) return failure('overflow', 'the sum lies outside ±(2^53−1)');
  state.set(key, value);
  return { ok: true, value };
}

function failure(code: string, message: string): Json {
  return { ok: false, error: { code, message } };
}
