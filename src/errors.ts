/** Every code that a user of Quorate may meet. Codes are stable; texts are not. */
export const QUORATE_ERROR_CODES = [
  'invalid-setting',
  'invalid-request',
  'request-too-large',
  'not-found',
  'log-collected',
  'method-not-allowed',
  'unsupported-media-type',
  'idempotency-conflict',
  'already-proposed',
  'unauthenticated',
  'forbidden',
  'no-quorum',
  'overloaded',
  'shutting-down',
  'bus-unavailable',
  'issuer-unavailable',
  'unsafe-redis',
  'state-format',
  'identity-in-use',
  'identity-mismatch',
  'enrolment-refused',
  'invalid-membership',
  'invalid-receipt',
  'invalid-certificate',
  'redis-not-found',
  'folder-not-empty',
  'internal',
] as const;

/** One of `QUORATE_ERROR_CODES`. */
export type QuorateErrorCode = (typeof QUORATE_ERROR_CODES)[number];

/** What the surroundings or a caller did wrong: a stable code, a text for people, and facts for programs. */
export class QuorateError extends Error {
  constructor(
    readonly code: QuorateErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'QuorateError';
  }
}
