import canonicalize from 'canonicalize';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const utf8 = new TextEncoder();

/** The one text of a JSON value: RFC 8785 (sorted keys, shortest numbers, no white space). */
export function canonicalJson(value: Json): string {
  // What has its keys in order, as all that was parsed from canonical text, JSON.stringify writes canonically itself.
  const text = isInOrder(value) ? JSON.stringify(value) : undefined;
  return text === undefined || mayHoldSurrogate(text) ? (canonicalize(value) as string) : text;
}

/** Whether JSON.stringify meets every object's keys in the order of RFC 8785, and nothing that is no JSON. */
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

/** A surrogate without its other half is not well-formed; JSON.stringify writes it as an escape. */
function mayHoldSurrogate(text: string): boolean {
  return text.includes('\\ud');
}

/** The one encoding of a JSON value: the UTF-8 bytes of its RFC 8785 text. Operations and results travel so. */
export function canonicalJsonBytes(value: Json): Uint8Array {
  return utf8.encode(canonicalJson(value));
}
