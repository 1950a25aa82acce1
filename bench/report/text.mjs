const PROCESSES = ['client', 'primary', 'backup', 'redis', 'total'];

/** The report for people. */
export function textOf({ machine, settings, sections, ratios }) {
  const { cores, processor, memoryGiB, system, node, redis } = machine;
  const head = [
    `${cores} × ${processor}, ${memoryGiB} GiB, ${system}; Node.js ${node}, Redis ${redis ?? 'not used'}`,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    'Each figure is the median of the runs, with the lowest and the highest; processor time is for one request, in µs.',
  ];
  const parts = sections.map(sectionText);
  const lines = Object.entries(ratios).map(([name, figure]) => `${name}: ${withSpread(figure, ratioText)}`);
  return [head.join('\n'), ...parts, lines.join('\n')].join('\n\n');
}

function sectionText({ title, rows, notes = [], skipped }) {
  if (skipped !== undefined) return `${title}\n  skipped: ${skipped}`;
  const header = ['', 'requests/s', 'p50 ms', 'p99 ms', 'failed', ...PROCESSES.map((name) => `${name} µs`)];
  const body = rows.map((row) => [
    row.label,
    withSpread(row.perSecond, (value) => value.toFixed(0)),
    withSpread(row.p50Ms, milliseconds),
    withSpread(row.p99Ms, milliseconds),
    String(row.failed),
    ...PROCESSES.map((name) => row.processorUs[name]?.toFixed(1) ?? '–'),
  ]);
  return [title, tableText([header, ...body]), ...notes.map((note) => `  ${note}`)].join('\n');
}

/** Columns as wide as what is in them; the first is to the left, figures are to the right. */
export function tableText(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
  const cell = (text, column) =>
    column === 0 ? text.padEnd(widths[column]) : ' '.repeat(widths[column] - [...text].length) + text;
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}

function withSpread({ median, min, max }, format) {
  return `${format(median)} (${format(min)}–${format(max)})`;
}

function milliseconds(value) {
  return value.toFixed(value < 10 ? 2 : 0);
}

function ratioText(value) {
  return value.toFixed(2);
}
