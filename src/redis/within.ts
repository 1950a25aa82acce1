/**
 * What `promise` gives, unless it takes longer.
 * @throws what `promise` does; `tooLate()` after `ms` milliseconds. Nobody hears of what becomes of the promise after that
 */
export async function within<T>(ms: number, promise: Promise<T>, tooLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(tooLate());
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
