const BENCH = new URL('../../../bench/', import.meta.url);

/** A module of bench/, which is plain JavaScript: the test says what it takes it to be. */
export async function benchModule<T>(path: string): Promise<T> {
  return (await import(new URL(path, BENCH).href)) as T;
}

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: readonly number[];
}
