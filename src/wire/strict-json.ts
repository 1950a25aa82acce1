import { visit, printParseErrorCode, type JSONPath } from 'jsonc-parser';
import { QuorateError } from '../errors.js';
import type { Json } from './json.js';
import { isPlainText } from './plain-json.js';

/** What a document may be at most. Every limit is inclusive. */
export interface JsonLimits {
  /** Containers inside one another: `[]` is 1 deep, a number 0. */
  readonly depthMax: number;
  /** Members and elements of all containers of the document together. */
  readonly entriesMax: number;
  /** UTF-16 code units of one string or key, after unescaping. */
  readonly stringLengthMax: number;
}

export const DEFAULT_JSON_LIMITS: JsonLimits = { depthMax: 32, entriesMax: 16_384, stringLengthMax: 65_536 };

/** Why a text is refused; `details.reason` of the error. */
export type StrictJsonRefusal =
  | 'not-utf8'
  | 'byte-order-mark'
  | 'syntax'
  | 'too-deep'
  | 'too-many-entries'
  | 'string-too-long'
  | 'duplicate-key'
  | 'lone-surrogate'
  | 'number-out-of-range'
  | 'number-loses-digits'
  | 'negative-zero';

/** With the `u` flag this matches only surrogates that are not half of a pair. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** An error never grows with what was sent. */
const POINTER_SEGMENT_LENGTH_MAX = 64;
const POINTER_LENGTH_MAX = 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the one JSON value in `bytes`, which must be UTF-8.
 * @throws {QuorateError} `invalid-request`, as `parseStrictJson`
 */
export function parseStrictJsonBytes(bytes: Uint8Array, limits: JsonLimits = DEFAULT_JSON_LIMITS): Json {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw refusal('not-utf8', 'The text is not UTF-8');
  }
  return parseStrictJson(text, limits);
}

/**
 * Reads the one JSON value in `text`, and refuses what `JSON.parse` would change on the way in: equal keys in one
 * object (after unescaping), numbers that a double does not hold, and lone surrogates. Every replica thereby sees what
 * the client wrote, in whichever language the client is written.
 *
 * A number is accepted when its value is the value of the shortest text of its double (so `0.1` and `1.50` are, and
 * `0.1000000000000000001` is not), and, when it is an integer, it lies within ±(2^53−1): also as `1e3` or `2.0`.
 * `-0` is refused: canonical JSON has no such number.
 *
 * `__proto__` becomes an own property like every other key.
 * @throws {QuorateError} `invalid-request`; details: `reason`, `offset` (UTF-16 code units), `line`, `column` (from 1),
 *   and `pointer` (RFC 6901 in a URI fragment) where it is known
 */
export function parseStrictJson(text: string, limits: JsonLimits = DEFAULT_JSON_LIMITS): Json {
  if (text.startsWith('\uFEFF')) {
    throw refusal('byte-order-mark', 'JSON must not begin with a byte order mark', [0, 0, 0]);
  }
  const plain = plainValue(text, limits);
  if (plain !== undefined) return plain;
  check(text, limits);
  // The checker above is a different parser from the one that builds the value: a text counts only if both take it.
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw refusal('syntax', 'The text is not JSON');
  }
}

/** The value of a text in which JSON.parse changes nothing, as one sees by writing it again; `undefined` where that does not show. */
function plainValue(text: string, { depthMax, entriesMax, stringLengthMax }: JsonLimits): Json | undefined {
  // Each entry takes two characters at least.
  const isShort = text.length <= Math.min(2 * entriesMax, stringLengthMax);
  if (!isShort || !text.isWellFormed()) return undefined;
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined; // the visitor tells where it is wrong
  }
  return isPlainText(text, value, depthMax, false) ? value : undefined;
}

/** Where jsonc-parser's visitor is: it counts lines and characters from 0. */
type Place = readonly [offset: number, line: number, character: number];

/** Visits `text` once and throws at the first thing that is not allowed: neither stack nor memory grows beyond the limits. */
function check(text: string, limits: JsonLimits): void {
  const containers = new OpenContainers(limits);
  visit(
    text,
    {
      onObjectBegin: (offset, _length, line, character, path) => {
        containers.begin(new Set(), [offset, line, character], path);
      },
      onArrayBegin: (offset, _length, line, character, path) => {
        containers.begin(undefined, [offset, line, character], path);
      },
      onObjectEnd: () => {
        containers.end();
      },
      onArrayEnd: () => {
        containers.end();
      },
      onObjectProperty: (key, offset, _length, line, character, path) => {
        containers.key(key, [offset, line, character], path);
        checkString(key, limits, [offset, line, character], path);
      },
      onLiteralValue: (value: unknown, offset, length, line, character, path) => {
        containers.element([offset, line, character]);
        if (typeof value === 'string') checkString(value, limits, [offset, line, character], path);
        if (typeof value === 'number') {
          const wrong = numberRefusal(text.slice(offset, offset + length), value);
          if (wrong !== undefined) throw refusal(...wrong, [offset, line, character], path());
        }
      },
      onError: (code, offset, _length, line, character) => {
        throw refusal('syntax', `The text is not JSON: ${printParseErrorCode(code)}`, [offset, line, character]);
      },
    },
    { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false },
  );
}

/** The containers around the visitor: for an object the keys seen so far, for an array nothing. */
class OpenContainers {
  readonly #limits: JsonLimits;
  readonly #open: (Set<string> | undefined)[] = [];
  #entries = 0;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  begin(keys: Set<string> | undefined, place: Place, path: () => JSONPath): void {
    this.element(place);
    if (this.#open.length >= this.#limits.depthMax) {
      const message = `Containers are nested more than ${String(this.#limits.depthMax)} deep`;
      throw refusal('too-deep', message, place, path());
    }
    this.#open.push(keys);
  }

  end(): void {
    this.#open.pop();
  }

  key(key: string, place: Place, path: () => JSONPath): void {
    this.#count(place);
    const keys = this.#open.at(-1);
    if (keys?.has(key) === true) {
      throw refusal('duplicate-key', 'Two members of one object have the same key', place, [...path(), key]);
    }
    keys?.add(key);
  }

  /** Counts a value as an element if it stands in an array; a member was counted at its key. */
  element(place: Place): void {
    if (this.#open.length > 0 && this.#open.at(-1) === undefined) this.#count(place);
  }

  #count(place: Place): void {
    this.#entries += 1;
    if (this.#entries <= this.#limits.entriesMax) return;
    const message = `There are more than ${String(this.#limits.entriesMax)} members and elements`;
    throw refusal('too-many-entries', message, place);
  }
}

function checkString(value: string, limits: JsonLimits, place: Place, path: () => JSONPath): void {
  if (value.length > limits.stringLengthMax) {
    const message = `A string is longer than ${String(limits.stringLengthMax)} UTF-16 code units`;
    throw refusal('string-too-long', message, place, path());
  }
  if (LONE_SURROGATE.test(value)) {
    throw refusal('lone-surrogate', 'A string has half of a surrogate pair', place, path());
  }
}

function numberRefusal(literal: string, value: number): [StrictJsonRefusal, string] | undefined {
  if (!Number.isFinite(value)) return ['number-out-of-range', 'A number is too large for a double'];
  if (Object.is(value, -0)) {
    return isZero(literal)
      ? ['negative-zero', '-0 is not a number of canonical JSON: write 0']
      : ['number-loses-digits', 'A number is too small for a double'];
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return ['number-out-of-range', 'An integer lies outside ±(2^53−1): send it as a string'];
  }
  if (!sameDecimal(literal, String(value))) {
    return ['number-loses-digits', 'A number has more digits than a double holds: send it as a string'];
  }
  return undefined;
}

function isZero(literal: string): boolean {
  return decimalOf(literal)?.digits === '';
}

function sameDecimal(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [decimalOf(a), decimalOf(b)];
  return left !== undefined && left.digits === right?.digits && left.exponent === right.exponent;
}

/** The significant digits of a number's absolute value, and the power of ten of the last one; of zero, no digits. */
function decimalOf(literal: string): { digits: string; exponent: number } | undefined {
  const match = NUMBER.exec(literal);
  if (match === null) return undefined;
  const [, integer = '', fraction = '', power = '0'] = match;
  const all = withoutLeadingZeros(integer + fraction);
  const digits = withoutTrailingZeros(all);
  if (digits === '') return { digits, exponent: 0 };
  return { digits, exponent: Number(power) - fraction.length + (all.length - digits.length) };
}

// Loops, not /0+$/: on a long run of zeros that does not end the text a regular expression takes quadratic time.
function withoutLeadingZeros(digits: string): string {
  let start = 0;
  while (digits.charAt(start) === '0') start += 1;
  return digits.slice(start);
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charAt(end - 1) === '0') end -= 1;
  return digits.slice(0, end);
}

/**
 * A path as an RFC 6901 pointer in a URI fragment (`#/operation/key`). It is for people and logs: long segments and
 * long paths are cut, with an ellipsis where something is missing.
 */
export function jsonPointer(path: readonly PropertyKey[]): string {
  let pointer = '#';
  for (const segment of path) {
    const whole = String(segment);
    const cut = whole.length > POINTER_SEGMENT_LENGTH_MAX ? `${whole.slice(0, POINTER_SEGMENT_LENGTH_MAX)}…` : whole;
    const escaped = cut
      .replaceAll('~', '~0')
      .replaceAll('/', '~1')
      .replaceAll(/\p{Surrogate}/gu, '\uFFFD');
    const next = `${pointer}/${encodeURIComponent(escaped)}`;
    if (next.length > POINTER_LENGTH_MAX) return `${pointer}/…`;
    pointer = next;
  }
  return pointer;
}

function refusal(
  reason: StrictJsonRefusal,
  message: string,
  place?: Place,
  path?: readonly PropertyKey[],
): QuorateError {
  if (place === undefined) return new QuorateError('invalid-request', `${message}.`, { reason });
  const [offset, line, character] = place;
  const text = `${message} (line ${String(line + 1)}, column ${String(character + 1)}).`;
  const details = { reason, offset, line: line + 1, column: character + 1 };
  return new QuorateError(
    'invalid-request',
    text,
    path === undefined ? details : { ...details, pointer: jsonPointer(path) },
  );
}
