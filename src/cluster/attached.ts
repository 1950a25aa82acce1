/**
 * Calls back once when the process that started this one is gone. It holds the other end of our standard input, and the
 * system closes that however it ended, SIGKILL included.
 */
export function onParentGone(callback: () => void): void {
  let isGone = false;
  const gone = (): void => {
    if (isGone) return;
    isGone = true;
    callback();
  };
  process.stdin.on('end', gone).on('close', gone).on('error', gone).resume();
}

/** Has the process that started this one tell its user something. Without effect where nobody listens. */
export function tellParent(notice: string): void {
  // It may be gone by now; then there is nobody to be told.
  process.send?.({ notice }, undefined, {}, () => undefined);
}
