/** Fields of a hash, as a turn has them. */
export function asFields(fields: Readonly<Record<string, Buffer>>): ReadonlyMap<string, Buffer> {
  return new Map(Object.entries(fields));
}
