/** Keys that the operations go round, unless a workload says otherwise. */
export const KEYS = 1000;

/**
 * An endless supply of operations of the key-value service, each of which writes a value.
 *
 * @param {{ operationBytes: number, keys?: number }} options bytes of an operation's JSON, as near as it can be: the
 *   smallest one has about 40, and its value is empty
 */
export function operations({ operationBytes, keys = KEYS }) {
  const bare = JSON.stringify(operationAt(0, '')).length;
  const value = 'x'.repeat(Math.max(operationBytes - bare, 0));
  let index = 0;
  return () => operationAt(index++ % keys, value);
}

/** The keys that operations write, and that `filling-service.mjs` fills. */
export function keyAt(index) {
  return `key-${String(index).padStart(7, '0')}`;
}

function operationAt(index, value) {
  return { op: 'put', key: keyAt(index), value };
}
