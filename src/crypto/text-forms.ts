import { z } from 'zod';

/** `text` read as lower-case hexadecimal of `length` bytes, or `undefined`. */
function fromHex(text: string, length: number): Buffer | undefined {
  return text.length === 2 * length && /^[0-9a-f]*$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** `text` read as base64 of `length` bytes, or `undefined`. One text for one value: the padded one, without stray bits. */
function fromBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}

function bytesFrom(read: (text: string, length: number) => Buffer | undefined, form: string, length: number) {
  return z.string().transform((text, context) => {
    const bytes = read(text, length);
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: `not ${form} of ${String(length)} bytes` });
    return z.NEVER;
  });
}

/** Schema of a byte string in lower-case hexadecimal. */
export function hexBytes(length: number) {
  return bytesFrom(fromHex, 'lower-case hexadecimal', length);
}

/** Schema of a byte string in padded, canonical base64. */
export function base64Bytes(length: number) {
  return bytesFrom(fromBase64, 'canonical padded base64', length);
}

/** Schema of an integer from `minimum` on that a double holds exactly. */
export function wholeNumber(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER) {
  return z.int().min(minimum).max(maximum);
}

/** The first thing that a schema found wrong, on one line. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid';
  const place = issue.path.map(String).join('.');
  return place === '' ? issue.message : `${place}: ${issue.message}`;
}
