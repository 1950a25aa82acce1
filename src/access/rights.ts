/** One thing that an operation does: under which name, and to which key if the service has keys. */
export interface Touch {
  readonly operation: string;
  readonly key?: string | undefined;
}

/** What a client may do. */
export interface Right {
  /** Names of operations, `log` for reading the agreed log; `*` is all of them, and everything else there is. */
  readonly operations: readonly string[];
  /** Only to keys that begin so. Absent: to all. */
  readonly keyPrefix?: string | undefined;
}

/** Everything. */
export const ALL_RIGHTS: readonly Right[] = [{ operations: ['*'] }];
/** What no narrower right allows. */
export const EVERYTHING: Touch = { operation: '*' };

/** Whether each of `touches` is allowed by one of `rights`. Nothing is allowed unless it is said. */
export function areAllowed(rights: readonly Right[], touches: readonly Touch[]): boolean {
  return touches.every((touch) => rights.some((right) => allows(right, touch)));
}

function allows({ operations, keyPrefix }: Right, { operation, key }: Touch): boolean {
  if (!operations.includes('*') && !operations.includes(operation)) return false;
  return keyPrefix === undefined || key?.startsWith(keyPrefix) === true;
}
