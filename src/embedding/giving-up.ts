import { undo, type CleanUp } from '../cli/open-redis.js';

/**
 * A start that can be given up: what it has begun until then is undone.
 * @throws the signal's reason, or what `start` throws
 */
export async function givingUpAt<T>(
  signal: AbortSignal | undefined,
  start: (cleanUp: CleanUp) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const cleanUp: CleanUp = [];
  const giveUp = (): void => void undo(cleanUp);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const started = await start(cleanUp);
    if (signal?.aborted === true) await undo(cleanUp);
    signal?.throwIfAborted();
    return started;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}
