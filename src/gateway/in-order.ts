/**
 * Starts work on each thing, at most `atOnce` at a time, and gives the results in the order of the things. Begins with the next
 * only when there is room for its result.
 */
export async function* inOrder<T, R>(
  things: Iterable<T>,
  atOnce: number,
  work: (thing: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underway: Promise<R>[] = [];
  try {
    for (const thing of things) {
      underway.push(work(thing));
      const first = underway.length >= atOnce ? underway.shift() : undefined;
      if (first !== undefined) yield await first;
    }
    for (let first = underway.shift(); first !== undefined; first = underway.shift()) yield await first;
  } finally {
    await Promise.allSettled(underway); // of one who has left
  }
}
