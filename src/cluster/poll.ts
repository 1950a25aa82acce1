import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 25;

/**
 * Asks again and again until the answer is not `undefined`.
 * @returns the answer, or `undefined` when the deadline has passed without one
 */
export async function poll<T>(
  deadlineMs: number,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || performance.now() >= end) return answer;
    await sleep(EVERY_MS);
  }
}

/** @returns whether the promise settled in time. Leaves no timer behind. */
export async function settlesWithin(promise: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((settle) => {
    timer = setTimeout(settle, deadlineMs, false);
  });
  const inTime = promise.then(
    () => true,
    () => true,
  );
  return await Promise.race([inTime, late]).finally(() => {
    clearTimeout(timer);
  });
}
