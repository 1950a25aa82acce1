const COSTS = 10;
/** Time in which a process waited. */
const WAITING = new Set(['(idle)', '(program)']);

/**
 * What a process spent its time on, by functions and without what they called: the largest shares of the time in which it worked.
 *
 * @param {{ nodes: object[], samples: number[], timeDeltas: number[] }} profile as the inspector gives it
 * @returns {{ what: string, share: number }[]} largest first
 */
export function largestCosts({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map();
  let total = 0;
  samples.forEach((id, index) => {
    const what = names.get(id);
    if (WAITING.has(what)) return;
    total += timeDeltas[index];
    spent.set(what, (spent.get(what) ?? 0) + timeDeltas[index]);
  });
  const largest = [...spent].sort(([, a], [, b]) => b - a).slice(0, COSTS);
  return largest.map(([what, us]) => ({ what, share: us / total }));
}

function nameOf({ functionName, url, lineNumber }) {
  const place = url === '' ? '' : ` ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}
