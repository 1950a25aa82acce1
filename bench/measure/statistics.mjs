/**
 * One figure that was measured several times.
 *
 * @typedef {{ median: number, min: number, max: number, runs: number[] }} Figure
 */

/** The middle of the values; of an even number of them the mean of the two in the middle. */
export function medianOf(values) {
  if (values.length === 0) throw new Error('there is no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @returns {Figure} */
export function figureOf(runs) {
  return { median: medianOf(runs), min: Math.min(...runs), max: Math.max(...runs), runs: [...runs] };
}

/**
 * A ratio of two figures that were measured in turn: the median of the ratios of each turn, since what disturbs a machine
 * for a while disturbs both sides of a turn.
 *
 * @returns {Figure}
 */
export function ratioOf(over, under) {
  const turns = Math.min(over.runs.length, under.runs.length);
  return figureOf(Array.from({ length: turns }, (_, turn) => over.runs[turn] / under.runs[turn]));
}
