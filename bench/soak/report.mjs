/** Growth over the last half, by a line fitted through it, that counts as flat: garbage collectors and checkpoints saw. */
const FLAT_MAX = 0.1;

/** Prints what the samples come to. @returns whether everything is flat and nothing is wrong */
export function report(samples, { acknowledged, unanswered }, wrong) {
  const { seconds } = samples.at(-1);
  console.log(`\n${acknowledged} acknowledged, ${unanswered} unanswered, ${(acknowledged / seconds).toFixed(0)}/s`);
  const half = samples.slice(Math.floor(samples.length / 2));
  const series = {
    ...Object.fromEntries(Object.keys(half[0].rss).map((name) => [`${name}, MiB`, ({ rss }) => rss[name]])),
    'in Redis, MiB': ({ redisMiB }) => redisMiB,
    'keys in Redis': ({ keys }) => keys,
  };
  const rows = Object.entries(series).map(([name, of]) => {
    const growth = growthOf(half.map((sample) => [sample.acknowledged, of(sample)]));
    return [name, of(half[0]), of(half.at(-1)), Math.max(...samples.map(of)), growth];
  });
  console.log('over the last half'.padEnd(22), 'begins', '   ends', 'highest', ' growth');
  for (const [name, first, last, highest, growth] of rows) {
    const figures = [first, last, highest].map((figure) => figure.toFixed(0).padStart(7));
    const percent = `${(growth * 100).toFixed(1)} %`.padStart(8);
    console.log(name.padEnd(21), ...figures, percent, growth <= FLAT_MAX ? 'flat' : 'NOT FLAT');
  }
  for (const line of wrong) console.log(`WRONG: ${line}`);
  return wrong.length === 0 && rows.every((row) => row.at(-1) <= FLAT_MAX);
}

/** How much a line fitted through the points (x, y) rises from the first to the last of them, by their mean. */
function growthOf(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, figure]) => figure)];
  const covariance = mean(([at, figure]) => (at - x) * (figure - y));
  const variance = mean(([at]) => (at - x) ** 2);
  if (variance === 0 || y === 0) return 0;
  return ((covariance / variance) * (points.at(-1)[0] - points[0][0])) / y;
}
