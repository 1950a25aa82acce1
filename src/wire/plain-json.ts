import type { Json } from './json.js';

/**
 * Whether `text` is what JSON.stringify would make of `value`, which was parsed from it, and plain: no text in it has an escape, no number
 * stands for another, and nothing is deeper than allowed. Nearly all texts are; to see it takes a fifth of the time of writing them once
 * more to compare, and of that of a parser that looks at each token. `false` says nothing about a text.
 * @param depth containers inside one another: `[]` is 1 deep, a number 0
 * @param areKeysInOrder whether each object's keys must be in the order of RFC 8785
 */
export function isPlainText(text: string, value: Json, depth: number, areKeysInOrder: boolean): boolean {
  return endOfPlain(text, 0, value, depth, areKeysInOrder) === text.length;
}

/** Whether a number is the only one of its text: finite, and within ±(2^53−1) if it is an integer. */
export function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** Where nothing plain ends. */
const notPlain = -1;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const [openBracket, closeBracket] = [0x5b, 0x5d];
const [openBrace, closeBrace] = [0x7b, 0x7d];

/**
 * Where the text of `value` ends that begins at `start`, if it is there and plain. A string that is equal to what was read out of it, up
 * to the closing quote, has no escape: the first one would make it longer. Equal keys leave one member where the text has two.
 */
function endOfPlain(text: string, start: number, value: Json, depth: number, inOrder: boolean): number {
  if (typeof value === 'string') return endOfPlainString(text, start, value);
  if (typeof value === 'number') return isExact(value) ? endOfLiteral(text, start, String(value)) : notPlain;
  if (typeof value !== 'object' || value === null) return endOfLiteral(text, start, String(value));
  if (depth === 0) return notPlain;
  return Array.isArray(value)
    ? endOfPlainArray(text, start, value as readonly Json[], depth, inOrder)
    : endOfPlainObject(text, start, value as Readonly<Record<string, Json>>, depth, inOrder);
}

function endOfPlainString(text: string, start: number, value: string): number {
  const end = start + 1 + value.length;
  const isThere = isAt(text, start, quote) && isAt(text, end, quote) && text.slice(start + 1, end) === value;
  return isThere ? end + 1 : notPlain;
}

/** A number, `true`, `false` or `null`. */
function endOfLiteral(text: string, start: number, literal: string): number {
  return text.startsWith(literal, start) ? start + literal.length : notPlain; // −0 is written as 0, which is another text
}

function endOfPlainArray(
  text: string,
  start: number,
  values: readonly Json[],
  depth: number,
  inOrder: boolean,
): number {
  if (!isAt(text, start, openBracket)) return notPlain;
  let at = start + 1;
  for (const value of values) {
    if (at > start + 1 && !isAt(text, at++, comma)) return notPlain;
    at = endOfPlain(text, at, value, depth - 1, inOrder);
    if (at === notPlain) return notPlain;
  }
  return isAt(text, at, closeBracket) ? at + 1 : notPlain;
}

function endOfPlainObject(
  text: string,
  start: number,
  value: Readonly<Record<string, Json>>,
  depth: number,
  inOrder: boolean,
): number {
  if (!isAt(text, start, openBrace)) return notPlain;
  let at = start + 1;
  let previous = '';
  for (const key of Object.keys(value)) {
    if ((inOrder && key < previous) || (at > start + 1 && !isAt(text, at++, comma))) return notPlain;
    at = endOfPlainString(text, at, key);
    if (at === notPlain || !isAt(text, at, colon)) return notPlain;
    at = endOfPlain(text, at + 1, value[key] ?? null, depth - 1, inOrder);
    if (at === notPlain) return notPlain;
    previous = key;
  }
  return isAt(text, at, closeBrace) ? at + 1 : notPlain;
}

function isAt(text: string, place: number, code: number): boolean {
  return text.charCodeAt(place) === code;
}
