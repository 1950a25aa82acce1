/** Everything that may go wrong in a simulation. Which of these are on is drawn from the seed. */
export const faultKinds = [
  // The network
  'delay',
  'loss',
  'duplication',
  'reordering',
  'one-way-partition',
  'two-way-partition',
  // Processes
  'crash',
  'crash-before-promises',
  'crash-after-promises',
  'crash-after-log',
  'crash-after-publish',
  'pause',
  'clock-skew',
  'clock-jump',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export function isFaultKind(text: string): text is FaultKind {
  return (faultKinds as readonly string[]).includes(text);
}
