/**
 * What at least one correct replica has reached: the f+1st highest of what the replicas claim, so that no f liars can push it up.
 * @returns `undefined` when fewer than f+1 have claimed anything
 */
export function trusted(claims: readonly number[], f: number): number | undefined {
  return [...claims].sort((a, b) => b - a)[f];
}
