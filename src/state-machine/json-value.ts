import { canonicalJson, type Json } from '../wire/json.js';
import { isExact, isPlainText } from '../wire/plain-json.js';

/** How deep containers may be nested in a value of the state or in a result: `[]` is 1 deep, a number 0. */
const jsonDepthMax = 64;

export type JsonFault = 'not-json' | 'too-deep' | 'too-large';

/** A JSON value as the state and results hold it. */
export interface JsonText {
  /** Canonical (RFC 8785). */
  readonly text: string;
  /** Its length in UTF-8. */
  readonly bytes: number;
}

/**
 * The canonical text of what a state machine gave us, which may be anything at all; or why it has none. JSON are null,
 * booleans, well-formed strings, arrays without holes, plain objects, and numbers that strict-json.ts reads back:
 * finite, and integers within ±(2^53−1).
 */
export function jsonText(value: unknown, bytesMax: number, depthMax: number = jsonDepthMax): JsonText | JsonFault {
  const budget = { bytes: bytesMax };
  const fault = faultOf(value, depthMax, budget);
  if (fault !== undefined) return fault;
  const text = canonicalJson(value as Json);
  const bytes = Buffer.byteLength(text);
  return bytes > bytesMax ? 'too-large' : { text, bytes };
}

/**
 * Whether `text` is the canonical text of `value`, which was parsed from it, and no deeper than allowed: as `jsonText` would
 * say, which trusts nothing.
 * @throws {TypeError} for half a surrogate pair
 */
export function isCanonicalText(text: string, value: Json, depthMax: number): boolean {
  if (isPlainText(text, value, depthMax, true)) return true;
  return isExactWithin(depthMax, value) && canonicalJson(value) === text;
}

/** Whether what JSON.parse gave is not too deep, and has no numbers that stand for others. */
function isExactWithin(depth: number, value: Json): boolean {
  if (typeof value === 'number') return isExact(value);
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values<Json>(value).every((member) => isExactWithin(depth - 1, member));
}

/** Walks at most as far as the shortest text of what was seen stays within the budget, and never deeper than allowed. */
function faultOf(value: unknown, depth: number, budget: { bytes: number }): JsonFault | undefined {
  budget.bytes -= typeof value === 'string' ? value.length + 2 : 1;
  if (budget.bytes < 0) return 'too-large';
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'number':
      return isExact(value) ? undefined : 'not-json';
    case 'string':
      return isWellFormed(value) ? undefined : 'not-json';
    case 'object':
      return value === null ? undefined : faultOfContainer(value, depth, budget);
    default:
      return 'not-json';
  }
}

function faultOfContainer(value: object, depth: number, budget: { bytes: number }): JsonFault | undefined {
  if (depth === 0) return 'too-deep';
  if (Array.isArray(value)) {
    for (const element of value) {
      const fault = faultOf(element, depth - 1, budget);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  if (!isPlain(value)) return 'not-json';
  for (const [key, member] of Object.entries(value)) {
    const fault = faultOf(key, depth - 1, budget) ?? faultOf(member, depth - 1, budget);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function isWellFormed(value: string): boolean {
  return value.isWellFormed();
}

/** Made by `{}`, in whichever realm: a Date, a Map or an instance of a class has a longer chain. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isRoot = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isRoot && Object.getOwnPropertySymbols(value).length === 0;
}

/** Freezes a JSON value through and through. */
export function deepFreeze<T extends Json>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values<Json>(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
