import { machineText } from '../measure/machine.mjs';

/** A column for each figure that some row of the section has. */
const COLUMNS = [
  { title: 'requests/s', of: ({ perSecond }) => perSecond && withSpread(perSecond, whole) },
  { title: 'p50 ms', of: ({ p50Ms }) => p50Ms && withSpread(p50Ms, milliseconds) },
  { title: 'p99 ms', of: ({ p99Ms }) => p99Ms && withSpread(p99Ms, milliseconds) },
  { title: 'silent ms', of: ({ longestGapMs }) => longestGapMs && withSpread(longestGapMs, whole) },
  { title: 'failed', of: ({ failed }) => failed && failedText(failed) },
  ...['client', 'gateway', 'primary', 'backup', 'server', 'redis', 'total'].map((name) => ({
    title: `${name} µs`,
    of: ({ processorUs }) => processorUs?.[name]?.toFixed(1),
  })),
];

/** The report for people. */
export function textOf({ machine, settings, seconds, sections, ratios }) {
  const head = [
    machineText(machine),
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    'Each figure is the median of the runs, with the lowest and the highest; processor time is for one request, in µs.',
    `It took ${seconds} s.`,
  ];
  const parts = sections.map(sectionText);
  const lines = Object.entries(ratios).map(([name, figure]) => `${name}: ${withSpread(figure, ratioText)}`);
  return [head.join('\n'), ...parts, lines.join('\n')].join('\n\n');
}

function sectionText({ title, rows = [], notes = [], skipped, error }) {
  if (skipped !== undefined) return `${title}\n  skipped: ${skipped}`;
  if (error !== undefined) return `${title}\n  FAILED: ${error}`;
  if (rows.length === 0) return [title, ...notes.map((note) => `  ${note}`)].join('\n');
  const shown = COLUMNS.filter(({ of }) => rows.some((row) => of(row) !== undefined));
  const header = ['', ...shown.map((column) => column.title)];
  const body = rows.map((row) => [row.label, ...shown.map(({ of }) => of(row) ?? '–')]);
  const costs = rows.flatMap(costsText);
  return [title, tableText([header, ...body]), ...notes.map((note) => `  ${note}`), ...costs].join('\n');
}

/** Where the time went, of a contender that was profiled. */
function costsText({ label, costs = {} }) {
  return Object.entries(costs).flatMap(([name, largest]) => [
    `  ${label}, ${name}:`,
    ...largest.map(({ what, share }) => `${(share * 100).toFixed(1).padStart(8)} %  ${what}`),
  ]);
}

/** Columns as wide as what is in them; the first is to the left, figures are to the right. */
function tableText(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
  const cell = (text, column) =>
    column === 0 ? text.padEnd(widths[column]) : ' '.repeat(widths[column] - [...text].length) + text;
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}

function withSpread({ median, min, max }, format) {
  return `${format(median)} (${format(min)}–${format(max)})`;
}

function failedText(failed) {
  const codes = Object.entries(failed).map(([code, count]) => `${count} ${code}`);
  return codes.length === 0 ? '0' : codes.join(', ');
}

function whole(value) {
  return value.toFixed(0);
}

function milliseconds(value) {
  return value.toFixed(value < 10 ? 2 : 0);
}

function ratioText(value) {
  return value.toFixed(2);
}
