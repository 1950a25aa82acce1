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
