import { QuorateError } from '../errors.js';
import { canonicalJson, type Json } from '../wire/json.js';

/** The longest wait that a timer takes, milliseconds. */
const deadlineMaxMs = 2 ** 31 - 1;
/** For a call with its retries, where neither it nor `connect` says anything else, milliseconds. */
export const deadlineDefaultMs = 30_000;

/** @throws {QuorateError} `invalid-setting` */
export function checkDeadline(deadlineMs: number): void {
  if (Number.isSafeInteger(deadlineMs) && deadlineMs >= 1 && deadlineMs <= deadlineMaxMs) return;
  const text = `deadlineMs is ${String(deadlineMs)}: it should be a whole number of milliseconds from 1 to ${String(deadlineMaxMs)}`;
  throw new QuorateError('invalid-setting', text);
}

/** @throws {QuorateError} `invalid-request` */
export function checkIdempotencyKey(idempotencyKey: string): void {
  if (/^[ -~]{1,256}$/.test(idempotencyKey)) return;
  throw new QuorateError('invalid-request', 'an idempotency key has 1 to 256 printable ASCII characters');
}

/** The operation as canonical JSON. @throws {QuorateError} `invalid-request` for what is no JSON */
export function textOf(operation: Json): string {
  try {
    return canonicalJson(operation);
  } catch (error) {
    const message = `the operation is no JSON: ${(error as Error).message}`;
    throw new QuorateError('invalid-request', message, {}, { cause: error });
  }
}

/**
 * A key as one segment of a URL's path.
 * @throws {QuorateError} `invalid-request` for what no URL can name: nothing, `.` and `..` (which every client takes for folders), half a
 * character. An operation reads those
 */
export function keyInPath(key: string): string {
  const named = key === '.' || key === '..' ? '' : encoded(key);
  if (named === '') {
    throw new QuorateError(
      'invalid-request',
      `No URL can name the key ${JSON.stringify(key)}: read it by an operation.`,
    );
  }
  return named;
}

function encoded(key: string): string {
  try {
    return encodeURIComponent(key);
  } catch {
    return ''; // a surrogate without its other half
  }
}
