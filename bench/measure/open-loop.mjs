import { performance } from 'node:perf_hooks';

const TICK_MS = 1;

/**
 * Sends at a fixed rate, however long the answers take.
 *
 * @param {number} perSecond
 * @param {(dueAt: number) => void} send is told when its request was due, from which its latency counts: a load that comes
 *   late because everything is slow must not make it look fast
 * @returns {() => void} ends it
 */
export function openLoop(perSecond, send) {
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    while (sent < due) send(startedAt + (++sent / perSecond) * 1000);
  }, TICK_MS);
  return () => clearInterval(timer);
}
