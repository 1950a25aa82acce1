/** Growth over the last half, by a line fitted through it, that counts as flat: garbage collectors and checkpoints saw. */
const FLAT_MAX = 0.1;

/**
 * What the samples come to.
 *
 * @returns {{ isGood: boolean, lines: string[] }} good when everything is flat and nothing is wrong
 */
export function conclusionOf({ samples, clients: { acknowledged, unanswered }, wrong }) {
  const { seconds } = samples.at(-1);
  const half = samples.slice(Math.floor(samples.length / 2));
  const series = {
    ...Object.fromEntries(Object.keys(half[0].rss).map((name) => [`${name}, MiB`, ({ rss }) => rss[name]])),
    'in Redis, MiB': ({ redisMiB }) => redisMiB,
    'keys in Redis': ({ keys }) => keys,
    'p50, ms': ({ p50Ms }) => p50Ms,
  };
  const rows = Object.entries(series).map(([name, of]) => {
    // Two samples may be so close that nothing was answered between them.
    const points = half.map((sample) => [sample.acknowledged, of(sample)]).filter(([, figure]) => figure > 0);
    const [first, last] = [points[0]?.[1] ?? 0, points.at(-1)?.[1] ?? 0];
    return [name, first, last, Math.max(...samples.map(of)), growthOf(points)];
  });
  const lines = [
    `${acknowledged} acknowledged, ${unanswered} unanswered, ${(acknowledged / seconds).toFixed(0)}/s`,
    `${'over the last half'.padEnd(22)} begins    ends highest   growth`,
    ...rows.map(([name, first, last, highest, growth]) => {
      const figures = [first, last, highest].map((figure) => figure.toFixed(0).padStart(7));
      const percent = `${(growth * 100).toFixed(1)} %`.padStart(8);
      return [name.padEnd(21), ...figures, percent, growth <= FLAT_MAX ? 'flat' : 'NOT FLAT'].join(' ');
    }),
    ...wrong.map((line) => `WRONG: ${line}`),
  ];
  return { isGood: wrong.length === 0 && rows.every((row) => row.at(-1) <= FLAT_MAX), lines };
}

/** How much a line fitted through the points (x, y) rises from the first to the last of them, by their mean. */
function growthOf(points) {
  if (points.length < 2) return 0;
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, figure]) => figure)];
  const covariance = mean(([at, figure]) => (at - x) * (figure - y));
  const variance = mean(([at]) => (at - x) ** 2);
  if (variance === 0 || y === 0) return 0;
  return ((covariance / variance) * (points.at(-1)[0] - points[0][0])) / y;
}
