import type { ServerResponse } from 'node:http';

/** Whoever takes nothing for so long is cut off, milliseconds. */
const stalledMs = 30_000;

/** Resolves once the client has taken what was written, or is gone. */
export function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(stalled);
      response.off('drain', done).off('close', done);
      resolve();
    };
    const stalled = setTimeout(() => response.destroy(), stalledMs).unref();
    response.once('drain', done).once('close', done);
  });
}
