import { canonicalJson, type Json } from '../wire/json.js';

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
  if (endOfPlain(text, 0, value, depthMax) === text.length) return true;
  return isExactWithin(depthMax, value) && canonicalJson(value) === text;
}

/** Where nothing plain ends. */
const notPlain = -1;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const [openBracket, closeBracket] = [0x5b, 0x5d];
const [openBrace, closeBrace] = [0x7b, 0x7d];

/**
 * Where the canonical text of `value` ends that begins at `start` of a text that `value` was parsed from, if it is there and plain: no text
 * in it has an escape. Nearly all are, and writing them once more to compare would take five times as long. A text that is equal to what was
 * read out of it, up to the closing quote, has no escape: the first one would make it longer.
 */
function endOfPlain(text: string, start: number, value: Json, depth: number): number {
  if (typeof value === 'string') return endOfPlainText(text, start, value);
  if (typeof value === 'number') return isExact(value) ? endOfLiteral(text, start, String(value)) : notPlain;
  if (typeof value !== 'object' || value === null) return endOfLiteral(text, start, String(value));
  if (depth === 0) return notPlain;
  return Array.isArray(value)
    ? endOfPlainArray(text, start, value as readonly Json[], depth)
    : endOfPlainObject(text, start, value as Readonly<Record<string, Json>>, depth);
}

function endOfPlainText(text: string, start: number, value: string): number {
  const end = start + 1 + value.length;
  const isThere = isAt(text, start, quote) && isAt(text, end, quote) && text.slice(start + 1, end) === value;
  return isThere ? end + 1 : notPlain;
}

/** A number, `true`, `false` or `null`. */
function endOfLiteral(text: string, start: number, literal: string): number {
  return text.startsWith(literal, start) ? start + literal.length : notPlain; // −0 is written as 0, which is another text
}

function endOfPlainArray(text: string, start: number, values: readonly Json[], depth: number): number {
  if (!isAt(text, start, openBracket)) return notPlain;
  let at = start + 1;
  for (const value of values) {
    if (at > start + 1 && !isAt(text, at++, comma)) return notPlain;
    at = endOfPlain(text, at, value, depth - 1);
    if (at === notPlain) return notPlain;
  }
  return isAt(text, at, closeBracket) ? at + 1 : notPlain;
}

function endOfPlainObject(text: string, start: number, value: Readonly<Record<string, Json>>, depth: number): number {
  if (!isAt(text, start, openBrace)) return notPlain;
  let at = start + 1;
  let previous = '';
  for (const key of Object.keys(value)) {
    if (key < previous || (at > start + 1 && !isAt(text, at++, comma))) return notPlain;
    at = endOfPlainText(text, at, key);
    if (at === notPlain || !isAt(text, at, colon)) return notPlain;
    at = endOfPlain(text, at + 1, value[key] ?? null, depth - 1);
    if (at === notPlain) return notPlain;
    previous = key;
  }
  return isAt(text, at, closeBrace) ? at + 1 : notPlain;
}

function isAt(text: string, place: number, code: number): boolean {
  return text.charCodeAt(place) === code;
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

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
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
