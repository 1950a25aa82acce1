const WIDTH = 860;
const HEIGHT = 420;
const PLOT = { left: 84, right: 830, top: 56, bottom: 350 };
const COLOURS = ['#1d4ed8', '#b45309', '#047857', '#7c3aed'];
const TICKS = [1, 2, 5];

/**
 * Latency over throughput, both on logarithmic scales: a point for each number of requests outstanding, at the median's height,
 * with a line up to the 99th percentile.
 *
 * @param {{ outstanding: number[], [series: string]: { perSecond: number, p50Ms: number, p99Ms: number }[] }} curve
 * @returns {string} an SVG document
 */
export function curveSvg({ outstanding, ...series }) {
  const points = Object.values(series).flat();
  const x = scale(rangeOf(points.map(({ perSecond }) => perSecond)), PLOT.left, PLOT.right);
  const y = scale(rangeOf(points.flatMap(({ p50Ms, p99Ms }) => [p50Ms, p99Ms])), PLOT.bottom, PLOT.top);
  const lines = Object.values(series).map((line, index) =>
    seriesSvg({ line, colour: COLOURS[index], outstanding, x, y }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title">`,
    '<title id="title">Latency over throughput, by requests outstanding</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="10" fill="#fbfaf7"/>`,
    ...axes(x, y),
    ...lines.flat(),
    ...legend(Object.keys(series)),
    '</svg>',
    '',
  ].join('\n');
}

/** The powers of ten, doubled and five-fold, that enclose the values. */
function rangeOf(values) {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return { from: 1, to: 10 };
  const [min, max] = [Math.min(...positive), Math.max(...positive)];
  const steps = ticksBetween(min / 10, max * 10);
  return { from: steps.findLast((step) => step <= min), to: steps.find((step) => step >= max && step > min) };
}

function ticksBetween(from, to) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    ticks.push(...TICKS.map((factor) => factor * 10 ** power));
  }
  return ticks.filter((tick) => tick >= from && tick <= to);
}

function scale({ from, to }, begin, end) {
  const at = (value) => begin + ((Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from))) * (end - begin);
  return { at: (value) => Number(at(Math.max(value, from)).toFixed(1)), ticks: ticksBetween(from, to) };
}

function axes(x, y) {
  const middle = (PLOT.left + PLOT.right) / 2;
  return [
    ...x.ticks.flatMap((tick) => [
      `<line x1="${x.at(tick)}" y1="${PLOT.top}" x2="${x.at(tick)}" y2="${PLOT.bottom}" stroke="#e4e1d8"/>`,
      textSvg(x.at(tick), PLOT.bottom + 18, numberText(tick), { anchor: 'middle' }),
    ]),
    ...y.ticks.flatMap((tick) => [
      `<line x1="${PLOT.left}" y1="${y.at(tick)}" x2="${PLOT.right}" y2="${y.at(tick)}" stroke="#e4e1d8"/>`,
      textSvg(PLOT.left - 8, y.at(tick) + 4, numberText(tick), { anchor: 'end' }),
    ]),
    textSvg(middle, PLOT.bottom + 44, 'requests a second', { anchor: 'middle', weight: 600 }),
    textSvg(18, PLOT.top - 16, 'milliseconds: median, with a line up to the 99th percentile', { weight: 600 }),
  ];
}

function seriesSvg({ line, colour, outstanding, x, y }) {
  const at = line.map(({ perSecond, p50Ms, p99Ms }) => ({ x: x.at(perSecond), y: y.at(p50Ms), top: y.at(p99Ms) }));
  return [
    `<polyline points="${at.map((point) => `${point.x},${point.y}`).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...at.flatMap((point, index) => [
      `<line x1="${point.x}" y1="${point.y}" x2="${point.x}" y2="${point.top}" stroke="${colour}" opacity="0.5"/>`,
      `<circle cx="${point.x}" cy="${point.y}" r="4" fill="${colour}"/>`,
      textSvg(point.x + 7, point.y + 15, String(outstanding[index] ?? ''), { colour, size: 11 }),
    ]),
  ];
}

function legend(names) {
  return names.flatMap((name, index) => {
    const left = PLOT.right - 130 * (names.length - index);
    return [
      `<circle cx="${left}" cy="24" r="4" fill="${COLOURS[index]}"/>`,
      textSvg(left + 10, 28, name, { colour: COLOURS[index], weight: 600 }),
    ];
  });
}

function textSvg(x, y, text, { anchor = 'start', colour = '#555', weight = 400, size = 13 } = {}) {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}" font-weight="${weight}" font-size="${size}">${escaped}</text>`;
}

function numberText(value) {
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(3)));
}
