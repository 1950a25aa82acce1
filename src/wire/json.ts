import { sortFew } from './sort-few.js';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The one text of a JSON value: RFC 8785 (keys in the order of their UTF-16 units, shortest numbers, no white space).
 * Members that are undefined are left out.
 * @throws {TypeError} for what is no JSON: NaN, half a surrogate pair, a function
 */
export function canonicalJson(value: Json): string {
  const text = textOf(value);
  // It writes half a surrogate pair as an escape, which RFC 8785 does not allow; a text may say so, too, with a backslash.
  if (text.includes('\\ud') && !isWellFormed(value)) throw new TypeError('half a surrogate pair is no text');
  return text;
}

/** What has its keys in order, as all that was parsed from canonical text, JSON.stringify writes whole and fast. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  return isInOrder(value) ? JSON.stringify(value) : written(value);
}

/** Whether JSON.stringify meets every object's keys in their canonical order, and nothing that is no JSON. */
function isInOrder(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || 'toJSON' in value) return false;
  if (Array.isArray(value)) {
    for (const element of value) if (!isInOrder(element)) return false; // holes, too, which `every` would pass over
    return true;
  }
  let previous = '';
  for (const key of Object.keys(value)) {
    if (key < previous || !isInOrder((value as Record<string, unknown>)[key])) return false;
    previous = key;
  }
  return true;
}

/** The same of any other value. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${Array.from(value, written).join()}]`;
  if (typeof value === 'object' && value !== null) return writtenObject(value);
  const isJson = typeof value !== 'number' || Number.isFinite(value);
  const text = isJson ? (JSON.stringify(value) as string | undefined) : undefined;
  if (text === undefined) throw new TypeError(`no JSON: ${String(value)}`);
  return text;
}

/** Member by member: JavaScript has whole numbers first in an object, whatever order they were put into it. */
function writtenObject(value: object): string {
  if ('toJSON' in value && typeof value.toJSON === 'function') return written((value.toJSON as () => unknown)());
  let members = '';
  for (const key of sortFew(Object.keys(value), isAfter)) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    if (members !== '') members += ',';
    members += `${quoted(key)}:${textOf(member)}`;
  }
  return `{${members}}`;
}

/** By UTF-16 units, as strings are compared. */
const isAfter = (one: string, other: string): boolean => one > other;

/** All but the characters of ASCII that stand for themselves: between quotation marks, without a backslash. */
const notPlain = /[^ !#-[\]-~]/;

/** To see that most texts need no escape takes less time than JSON.stringify. */
function quoted(text: string): string {
  return notPlain.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, member]) => isWellFormed(key) && isWellFormed(member));
}

/** The one encoding of a JSON value: the UTF-8 bytes of its RFC 8785 text. Operations and results travel so. */
export function canonicalJsonBytes(value: Json): Uint8Array {
  return Buffer.from(canonicalJson(value)); // a TextEncoder takes three times as long
}
