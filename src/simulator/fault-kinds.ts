/** Everything that may go wrong in a simulation. Which of these are on is drawn from the seed. */
export const faultKinds = [
  // The network
  'delay',
  'loss',
  'duplication',
  'reordering',
  'lasting-delay',
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
  // Whoever runs Redis
  'redis-loss',
  'redis-replay',
  'redis-forgery',
  'redis-forgotten-subscriber',
  'redis-cut',
  'redis-refused-writes',
  'redis-restart',
  'redis-restart-without-data',
  'log-rollback',
  'log-deletion',
  'log-alteration',
  // Data folders
  'promises-loss',
  'disk-loss',
  // Byzantine clients
  'client-equivocation',
  'client-disorder',
  'client-replay',
  'foreign-client',
  'expired-bundle',
  'client-junk',
  // Byzantine replicas
  'equivocation',
  'other-batch',
  'double-vote',
  'prepare-of-primary',
  'proposal-of-backup',
  'repeated-proposal',
  'far-off-vote',
  'impersonation',
  'vote-in-another-role',
  'vote-in-another-view',
  'selective-send',
  'withheld-message',
  'lying-reply',
  'lying-query-reply',
  'lying-status',
  'forged-certificate',
  'stale-certificate',
  'empty-view-change',
  'fabricated-view-change',
  'wrong-order',
  'new-view-from-too-few',
  'two-new-views',
  'far-off-view',
  'false-checkpoint',
  'false-state-chunk',
  'replay',
  'slow-primary',
  'censoring-primary',
  'twin',
  'amnesia',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export function isFaultKind(text: string): text is FaultKind {
  return (faultKinds as readonly string[]).includes(text);
}
