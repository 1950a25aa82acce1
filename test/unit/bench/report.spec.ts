import { describe, expect, it } from '@jest/globals';
import { benchModule, type Figure } from './support.js';

const { textOf } = await benchModule<{ textOf(report: object): string }>('report/text.mjs');
const { curveSvg } = await benchModule<{ curveSvg(curve: object): string }>('report/curve-svg.mjs');

const { largestCosts } = await benchModule<{ largestCosts(profile: object): object[] }>('report/costs.mjs');

const figure = (median: number): Figure => ({ median, min: median - 1, max: median + 1, runs: [median] });

const REPORT = {
  machine: {
    cores: 2,
    processor: 'Some',
    memoryGiB: 4,
    system: 'linux 6',
    node: '22.0.0',
    loadAverage: 0.5,
    redis: '7.0.0',
  },
  settings: { runs: 3, appendfsync: 'always' },
  sections: [
    {
      title: 'Saturation',
      notes: ['a note'],
      rows: [
        {
          ...{ label: 'engine', perSecond: figure(1000), p50Ms: figure(2.5), p99Ms: figure(20), failed: {} },
          processorUs: { client: 10, primary: 20, total: 90.25 },
          costs: { primary: [{ what: 'verify crypto/ed25519.js:9', share: 0.255 }] },
        },
        { label: 'floor', perSecond: figure(50_000), failed: { refused: 7 }, processorUs: {} },
      ],
    },
    { title: 'Overload', error: 'no-quorum' },
    { title: 'Beside etcd', skipped: 'etcd is not installed' },
  ],
  seconds: 12,
  ratios: { saturationToFloor: { median: 0.3, min: 0.25, max: 0.35, runs: [0.3] } },
};

describe('the table', () => {
  const text = textOf(REPORT);

  it('says on which machine, with which settings', () => {
    expect(text).toContain('2 × Some, 4 GiB, linux 6; Node.js 22.0.0, Redis 7.0.0; load average before: 0.5');
    expect(text).toContain('runs 3, appendfsync always');
  });

  it('has the median and the spread of each figure, and a dash where there is none', () => {
    expect(text).toMatch(/engine +1000 \(999–1001\) +2\.50 \(1\.50–3\.50\) +20 \(19–21\) +0 +10\.0 +20\.0 +90\.3/);
    expect(text).toMatch(/floor +50000 \(49999–50001\) +– +– +7 refused/);
  });

  it('has only columns that some row fills, all of one width', () => {
    expect(text).not.toContain('silent ms');
    const lines = text.split('\n');
    const header = lines.findIndex((line) => line.includes('requests/s'));
    expect(lines[header + 1]).toHaveLength(lines[header]!.length);
  });

  it('says what failed, what was skipped, what is to be noted, and the ratios', () => {
    expect(text).toContain('Overload\n  FAILED: no-quorum');
    expect(text).toContain('Beside etcd\n  skipped: etcd is not installed');
    expect(text).toContain('  a note');
    expect(text).toContain('saturationToFloor: 0.30 (0.25–0.35)');
  });
});

describe('the largest costs', () => {
  it('are shares of the time in which a process worked, function by function', () => {
    const frame = (functionName: string, url = 'file:///a/b/c.js') => ({ functionName, url, lineNumber: 4 });
    const nodes = [
      { id: 1, callFrame: frame('(idle)', '') },
      { id: 2, callFrame: frame('verify') },
      { id: 3, callFrame: frame('') },
      { id: 4, callFrame: frame('verify') }, // the same function, called from elsewhere
    ];
    const costs = largestCosts({ nodes, samples: [1, 2, 3, 4, 2], timeDeltas: [1_000, 10, 20, 30, 20] });
    expect(costs).toEqual([
      { what: 'verify b/c.js:5', share: 0.75 },
      { what: '(anonymous) b/c.js:5', share: 0.25 },
    ]);
  });

  it('are listed below the table', () => {
    expect(textOf(REPORT)).toContain('  engine, primary:\n    25.5 %  verify crypto/ed25519.js:9');
  });
});

describe('the curve', () => {
  const point = (perSecond: number, p50Ms: number) => ({ perSecond, p50Ms, p99Ms: p50Ms * 3 });
  const svg = curveSvg({
    outstanding: [1, 64],
    engine: [point(100, 1), point(5_000, 12)],
    'a < b & c': [point(900, 0.7), point(80_000, 2)],
  });

  it('is well-formed XML with nothing outside of its frame', () => {
    const open: string[] = [];
    for (const [, close, name, rest] of svg.matchAll(/<(\/?)(\w+)([^>]*)>/g)) {
      if (close === '/') expect(open.pop()).toBe(name);
      else if (!rest!.endsWith('/')) open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).toContain('a &lt; b &amp; c');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    for (const [, x] of svg.matchAll(/\bc?x[12]?="([\d.-]+)"/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(0);
      expect(Number(x)).toBeLessThanOrEqual(860);
    }
  });

  it('has a point for each number outstanding and a line for each series', () => {
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(4 + 2);
  });

  it('can be drawn of one point, and of one without an answer', () => {
    expect(curveSvg({ outstanding: [1], engine: [point(100, 1)] })).not.toMatch(/NaN|Infinity/);
    expect(curveSvg({ outstanding: [1, 2], engine: [point(100, 1), point(0, 0)] })).not.toMatch(/NaN|Infinity/);
    expect(curveSvg({ outstanding: [1], engine: [point(0, 0)] })).not.toMatch(/NaN|Infinity/);
  });
});
