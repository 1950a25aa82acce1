import canonicalize from 'canonicalize';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const utf8 = new TextEncoder();

/** The one text of a JSON value: RFC 8785 (sorted keys, shortest numbers, no white space). */
export function canonicalJson(value: Json): string {
  return canonicalize(value) as string;
}

/** The one encoding of a JSON value: the UTF-8 bytes of its RFC 8785 text. Operations and results travel so. */
export function canonicalJsonBytes(value: Json): Uint8Array {
  return utf8.encode(canonicalJson(value));
}
